//! From events to invocations and back: subscriptions with ack, retry and dead letter, requests over the bus, and the
//! relay that takes a component's outbox to the bus. Knows no wasm and no backend of the bus.

mod backoff;
mod chain;
mod config;
mod counts;
mod dead_letters;
mod error;
mod events;
mod handler;
mod in_flight;
mod known;
mod phase;
mod prune;
mod relay;
mod source;
mod verdict;
mod worker;

pub use config::{ComponentConfig, Subscription};
pub use counts::Counts;
pub use dead_letters::{ReplaySummary, Replayed};
pub use error::EventsError;
pub use events::{ComponentEvents, Events};
