//! The bus: where events live between the component that publishes them and those that handle them. One trait, and
//! behind it a file (embedded) or NATS JetStream, so that nothing above knows which of them it is.

mod bus;
mod cloudevents;
mod delivery;
mod embedded;
mod error;
mod names;
mod nats;
mod page;
mod request;
mod status;

pub use bus::{Bus, Consumer, ConsumerSpec, Published, Responder};
pub use cloudevents::{HeaderError, Place, event_from_headers, headers_of_event};
pub use delivery::{Delivery, Settle};
pub use embedded::{EmbeddedBus, EmbeddedOptions};
pub use error::BusError;
pub use names::{consumer_name, stream_subject};
pub use nats::{NatsBus, NatsOptions};
pub use page::{PAGE_EVENTS_MAX, Page, ReadFrom, StoredEvent};
pub use request::{Answer, Request};
pub use status::{BusStatus, ConsumerStatus, StreamStatus};
