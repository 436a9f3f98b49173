//! What the bus says of itself, for `hull status` and the metrics.

use std::time::Duration;

/// The state of every stream and consumer at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BusStatus {
    /// `None` while the bus works; otherwise what is wrong with it.
    pub problem: Option<String>,
    /// One for each app whose stream is open.
    pub streams: Vec<StreamStatus>,
    /// Every consumer of those streams, open or not.
    pub consumers: Vec<ConsumerStatus>,
}

/// One app's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStatus {
    /// Whose.
    pub app: String,
    /// How many events it holds.
    pub events: u64,
    /// How many bytes it takes.
    pub bytes: u64,
    /// How many bytes it may take; 0 where the backend does not say.
    pub bytes_max: u64,
    /// The place of the last event; 0 before the first.
    pub last_sequence: u64,
    /// Why it takes no events just now.
    pub problem: Option<String>,
}

/// One durable consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// The app whose stream it reads.
    pub app: String,
    /// Whose it is.
    pub component: String,
    /// Which subjects.
    pub pattern: String,
    /// How many times it is open; a consumer that nobody has open keeps its events.
    pub open: usize,
    /// Events it has yet to deliver for the first time.
    pub backlog: u64,
    /// Events that are out, or wait to be delivered again.
    pub in_flight: u64,
    /// How many deliveries were not the first of their event, since the bus was opened.
    pub redelivered: u64,
    /// The age of the oldest event that it has not acknowledged.
    pub lag: Duration,
}
