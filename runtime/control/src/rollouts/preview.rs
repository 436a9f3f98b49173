//! The revision that is tried, for whoever asks it and nobody else: examples are verified against it.

use super::Running;
use crate::deploy::Deployed;

impl Running {
    /// What is tried, until it is decided about.
    pub(crate) fn candidate(&self) -> Option<Deployed> {
        self.ready.lock().as_ref().map(|ready| ready.deployed.clone())
    }
}
