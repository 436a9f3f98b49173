//! One event in a handler's hands, until it is settled.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use hull_invocation::Event;

use crate::error::BusError;

/// An event that was taken from a consumer. Dropped without an answer, it is delivered again after `ack_wait`.
pub struct Delivery {
    /// The event.
    pub event: Event,
    /// Its place in the app's stream.
    pub sequence: u64,
    /// How often it has been delivered, this time included. A restart of the embedded bus begins again at 1.
    pub deliveries: u32,
    /// When the stream took it, in milliseconds since 1970.
    pub published_ms: u64,
    handle: Box<dyn Settle>,
}

/// A backend's side of a delivery.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Handled: never deliver it to this consumer again.
    async fn ack(&self) -> Result<(), BusError>;
    /// Deliver it again, after `delay`.
    async fn nak(&self, delay: Duration) -> Result<(), BusError>;
    /// Still at work: `ack_wait` begins anew.
    async fn in_progress(&self) -> Result<(), BusError>;
}

impl Delivery {
    /// Made by backends.
    pub fn new(event: Event, sequence: u64, deliveries: u32, published_ms: u64, handle: Box<dyn Settle>) -> Self {
        Self { event, sequence, deliveries, published_ms, handle }
    }

    /// Handled: never deliver it to this consumer again. Also right for a delivery whose `ack_wait` has passed.
    pub async fn ack(&self) -> Result<(), BusError> {
        self.handle.ack().await
    }

    /// Deliver it again, after `delay`. The delay does not survive a restart of the bus. Nothing happens if the
    /// event is out again already because `ack_wait` has passed.
    pub async fn nak(&self, delay: Duration) -> Result<(), BusError> {
        self.handle.nak(delay).await
    }

    /// Still at work: `ack_wait` begins anew. Nothing happens if it has passed.
    pub async fn in_progress(&self) -> Result<(), BusError> {
        self.handle.in_progress().await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("subject", &self.event.subject)
            .field("key", &self.event.key)
            .field("sequence", &self.sequence)
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}
