//! Versions that nobody calls any more are taken apart beside what serves: unmapping code stops every thread of the host for
//! a moment, and freeing all that belongs to it takes a while. Otherwise whoever happened to hold it last would do that,
//! which is a request.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::deploy::{Linked, Version};

/// How often it is looked whether a version that was replaced is still called.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// See the module.
pub(crate) struct Unloader(mpsc::Sender<Retired>);

enum Retired {
    Version(Arc<Version>),
    /// Held by nobody else, it goes at once.
    Linked(#[allow(dead_code, reason = "only dropped")] Linked),
}

impl Unloader {
    pub(crate) fn start() -> io::Result<Self> {
        let (retired, versions) = mpsc::channel();
        hull_threads::spawn("hull-unload", move || unload(&versions))?;
        Ok(Self(retired))
    }

    /// It was replaced: once nothing runs of it any more, it is unloaded.
    pub(crate) fn take(&self, version: Arc<Version>) {
        // Without the thread it is unloaded where it is held last.
        let _ = self.0.send(Retired::Version(version));
    }

    /// Nobody will deploy it again soon.
    pub(crate) fn take_linked(&self, linked: Linked) {
        let _ = self.0.send(Retired::Linked(linked));
    }
}

/// Until the engine is gone.
fn unload(retired: &mpsc::Receiver<Retired>) {
    hull_threads::give_way();
    let mut held = Vec::new();
    loop {
        let next = if held.is_empty() {
            retired.recv().map_err(mpsc::RecvTimeoutError::from)
        } else {
            retired.recv_timeout(LOOK_EVERY)
        };
        match next {
            Ok(Retired::Version(version)) => held.push(version),
            Ok(Retired::Linked(linked)) => drop(linked),
            // Whoever is the only one to hold it is the last one.
            Err(mpsc::RecvTimeoutError::Timeout) => held.retain(|version| Arc::strong_count(version) > 1),
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}
