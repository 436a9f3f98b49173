//! What a service on Hull is written with: a thin layer over the generated bindings, so that a handler reads like
//! the business it is about and nothing of the host stays hidden.
//!
//! ```text
//! hull_sdk::http_component!(routes);
//!
//! fn routes() -> Routes {
//!     Routes::new().get("/api/greetings/:name", greet)
//! }
//!
//! fn greet(request: &Request) -> Result<Response> {
//!     response::ok(&Greeting { text: format!("Hello, {}!", request.param("name")?) })
//! }
//! ```

pub mod bindings;
pub mod check;
pub mod client;
pub mod clock;
pub mod config;
pub mod error;
pub mod event;
pub mod gather;
pub mod health;
pub mod ids;
pub mod json;
pub mod kv;
pub mod logging;
pub mod messaging;
pub mod money;
pub mod p3;
pub mod problem;
pub mod query;
pub mod request;
pub mod response;
pub mod router;
pub mod serve;
pub mod sql;
pub mod unit;

pub use http;
pub use wasip2;
pub use wasip3;

pub use check::Check;
pub use error::{Error, Result};
pub use event::{Event, Outcome};
pub use gather::Gather;
pub use messaging::Message;
pub use money::Cents;
pub use problem::Problem;
pub use request::Request;
pub use response::Response;
pub use router::Router;
pub use serve::{Handler, Routes};
pub use unit::{Unit, transaction};
