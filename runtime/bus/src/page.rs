//! What somebody reads of a stream who is no consumer: a page of events, and where the next one begins. Nothing is
//! remembered of who has read.

use hull_invocation::Event;

/// The most events of a page.
pub const PAGE_EVENTS_MAX: usize = 256;
/// So many bytes of payload end a page.
pub(crate) const PAGE_BYTES_MAX: usize = 4 << 20;

/// Where to begin to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// At this place in the stream, or at the first one after it that is still there.
    Sequence(u64),
    /// Behind everything that is there now.
    End,
}

/// A part of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Those of the subjects asked for, in their order.
    pub events: Vec<StoredEvent>,
    /// Where the next page begins.
    pub next: u64,
    /// Nothing is behind this page now.
    pub is_last: bool,
}

/// An event as the stream holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the app's stream.
    pub sequence: u64,
    /// When the stream took it, in milliseconds since 1970.
    pub published_ms: u64,
    /// The event.
    pub event: Event,
}
