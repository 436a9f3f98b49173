//! The host's threads, where they run, and how they give way to those that serve everybody. A thread begins with the priority
//! of the one that makes it and can never get a higher one; one that works for a single component must therefore make none.

mod aside;
mod blocking;
mod making;
mod priority;
mod processors;
mod rest;
mod serving;

pub use aside::{aside, give_way};
pub use blocking::blocking;
pub use making::spawn;
pub use priority::{join_idle_class, lower};
pub use rest::{BEFORE_REST, at_rest, rest, when_at_rest};
pub use serving::serving_runtime;
