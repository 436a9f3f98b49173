//! What one component may publish.

use std::sync::Arc;

use hull_admission::TokenBucket;
use hull_invocation::{ComponentId, CountRejected, Resource};
use hull_manifest::{Rate, SubjectPattern};
use parking_lot::Mutex;

use crate::bindings::hull::messaging::types::Error;

/// `publishes` and `limits.messages` of one component.
#[derive(Clone)]
pub struct MessagingPolicy {
    /// Whose it is.
    pub component: ComponentId,
    /// Subjects that it may publish.
    pub publishes: Vec<SubjectPattern>,
    /// The largest payload, in bytes.
    pub payload_bytes_max: u64,
    /// How often it may publish or ask.
    pub rate: Arc<MessageRate>,
    /// Who counts what is refused for a bound.
    pub rejected: Arc<dyn CountRejected>,
}

/// `limits.messages.rate`, and what is left of it.
#[derive(Debug)]
pub struct MessageRate(Mutex<TokenBucket>);

impl MessageRate {
    /// All of it is left.
    pub fn new(rate: Rate) -> Self {
        Self(Mutex::new(TokenBucket::with_period(rate.count.get().into(), rate.per, hull_clock::now())))
    }
}

impl MessagingPolicy {
    /// Where its events come from: the CloudEvents `source`, set by the host.
    pub fn source(&self) -> String {
        format!("/{}/{}", self.component.app(), self.component.component())
    }

    pub(crate) fn check_subject(&self, subject: &str) -> Result<(), Error> {
        if let Err(invalid) = hull_manifest::check_subject(subject) {
            return Err(Error::Invalid(format!("subject {subject:?}: {invalid}")));
        }
        if self.publishes.iter().any(|pattern| pattern.matches(subject)) {
            return Ok(());
        }
        Err(Error::Denied(format!(
            "{} may not publish {subject:?}: add it to `publishes` in [component.{}.tool.hull] of spin.toml",
            self.component,
            self.component.component()
        )))
    }

    /// One more message; the last check, so that only those count that could go out.
    pub(crate) fn check_rate(&self) -> Result<(), Error> {
        let taken = self.rate.0.lock().on_take_one(hull_clock::now());
        taken.map_err(|wait| {
            self.rejected.rejected(Resource::MessageRate);
            Error::RateLimited(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1))
        })
    }

    pub(crate) fn check_size(&self, payload_bytes: usize) -> Result<(), Error> {
        if payload_bytes as u64 > self.payload_bytes_max {
            self.rejected.rejected(Resource::MessageSize);
            return Err(Error::TooLarge(self.payload_bytes_max));
        }
        Ok(())
    }
}
