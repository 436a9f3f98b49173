//! What one component may publish.

use std::sync::Arc;

use hull_admission::TokenBucket;
use hull_contracts::EventSchemas;
use hull_invocation::{ComponentId, CountRejected, HOPS_MAX, Resource};
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
    /// What its events must be like; none where it ships no contract.
    pub schemas: Option<Arc<EventSchemas>>,
    /// The largest event, payload and headers, in bytes.
    pub event_bytes_max: u64,
    /// How often it may publish or ask.
    pub rate: Arc<MessageRate>,
    /// Who counts what is refused for a bound.
    pub rejected: Arc<dyn CountRejected>,
}

/// `limits.messages.rate`, and what is left of it.
#[derive(Debug)]
pub struct MessageRate {
    rate: Rate,
    left: Mutex<TokenBucket>,
}

impl MessageRate {
    /// All of it is left.
    pub fn new(rate: Rate) -> Self {
        let bucket = TokenBucket::with_period(rate.count.get().into(), rate.per, hull_clock::now());
        Self { rate, left: Mutex::new(bucket) }
    }

    /// What is used of it now, per second like the bound: it falls with time as more may be published again.
    pub fn used_per_second(&self) -> f64 {
        let all = u64::from(self.rate.count.get());
        let used = all.saturating_sub(self.left.lock().left(hull_clock::now()));
        used as f64 / self.rate.per.as_secs_f64()
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
        let taken = self.rate.left.lock().on_take_one(hull_clock::now());
        taken.map_err(|wait| {
            self.rejected.rejected(Resource::MessageRate);
            Error::RateLimited(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1))
        })
    }

    /// Payload and headers as the guest gave them; what the host adds costs nothing.
    pub(crate) fn check_size(&self, payload: &[u8], headers: &[(String, String)]) -> Result<(), Error> {
        let bytes = payload.len().saturating_add(header_bytes(headers));
        if bytes as u64 > self.event_bytes_max {
            self.rejected.rejected(Resource::MessageSize);
            return Err(Error::TooLarge(self.event_bytes_max));
        }
        Ok(())
    }

    /// What a component publishes is what it has promised.
    pub(crate) fn check_schema(&self, subject: &str, payload: &[u8]) -> Result<(), Error> {
        let checked = self.schemas.as_ref().map_or(Ok(()), |schemas| schemas.check(subject, payload));
        checked.map_err(Error::Invalid)
    }

    /// One more event in a chain of them; which one it is.
    pub(crate) fn check_hops(&self, hops_before: u16) -> Result<u16, Error> {
        let hops = hops_before.saturating_add(1);
        if hops > HOPS_MAX {
            self.rejected.rejected(Resource::CallDepth);
            return Err(Error::Denied(format!("events led to events {HOPS_MAX} times: this chain ends here")));
        }
        Ok(hops)
    }
}

/// Names and values.
pub(crate) fn header_bytes(headers: &[(String, String)]) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}
