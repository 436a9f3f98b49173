//! What one component may publish.

use hull_invocation::ComponentId;
use hull_manifest::SubjectPattern;

use crate::bindings::hull::messaging::types::Error;

/// `publishes` and `limits.messages` of one component.
#[derive(Debug, Clone)]
pub struct MessagingPolicy {
    /// Whose it is.
    pub component: ComponentId,
    /// Subjects that it may publish.
    pub publishes: Vec<SubjectPattern>,
    /// The largest payload, in bytes.
    pub payload_bytes_max: u64,
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

    pub(crate) fn check_size(&self, payload_bytes: usize) -> Result<(), Error> {
        if payload_bytes as u64 > self.payload_bytes_max {
            return Err(Error::TooLarge(self.payload_bytes_max));
        }
        Ok(())
    }
}
