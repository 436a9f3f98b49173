//! The effective configuration: a manifest with every default filled in, as TOML that marks the defaults and that
//! is itself a manifest of the same meaning, and as JSON.

mod app;
mod host;
mod json;
mod shown;
mod write;

pub use app::{effective_app, effective_toml};
pub use host::effective_host;
pub use shown::{Entry, Shown};
