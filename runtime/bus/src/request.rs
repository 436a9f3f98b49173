//! A request in a responder's hands. It lives in memory only: whoever asked waits for it, or has given up.

use std::fmt;

use async_trait::async_trait;
use hull_invocation::{Event, Reply};

use crate::error::BusError;

/// A request that waits for its answer. Dropped without one, it counts as refused.
pub struct Request {
    /// What is asked, as an event that no stream holds.
    pub event: Event,
    answer: Box<dyn Answer>,
}

/// A backend's side of a request.
#[async_trait]
pub trait Answer: Send + Sync {
    /// Send the answer, or why there is none.
    async fn send(self: Box<Self>, answer: Result<Reply, String>) -> Result<(), BusError>;

    /// Whether somebody may still wait for it.
    fn is_wanted(&self) -> bool;
}

impl Request {
    /// Made by backends.
    pub fn new(event: Event, answer: Box<dyn Answer>) -> Self {
        Self { event, answer }
    }

    /// Whether whoever asked may still wait. A request that nobody waits for is not handed out.
    pub(crate) fn is_wanted(&self) -> bool {
        self.answer.is_wanted()
    }

    /// Answer. Whoever asked may be gone by now; that is no error.
    pub async fn respond(self, reply: Reply) -> Result<(), BusError> {
        self.answer.send(Ok(reply)).await
    }

    /// Say that there will be no answer, and why, so that nobody waits for it.
    pub async fn refuse(self, reason: impl Into<String> + Send) -> Result<(), BusError> {
        self.answer.send(Err(reason.into())).await
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("subject", &self.event.subject).finish_non_exhaustive()
    }
}
