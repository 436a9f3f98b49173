//! The audit log: who changed what, when, from where, and what came of it; and who was denied. Entries are appended and
//! synced, and each holds the hash of the one before, so that an edit or a gap shows.

mod chain;
mod file;

pub(crate) use chain::Happening;
pub use chain::{Entry, Flaw};
pub use file::{AuditReport, verify_audit};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hull_admission::TokenBucket;
use parking_lot::Mutex;

use file::LogFile;

/// Denied attempts that are written at once; more are counted, and the count is written with the next.
const DENIED_BURST: u64 = 20;
/// In which as many more may be.
const DENIED_PERIOD: Duration = Duration::from_mins(20);

/// Why something cannot be written down, which is then not done either.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the audit log {path}: {why}; nothing was changed")]
pub struct AuditError {
    path: String,
    why: String,
}

/// The audit log of a host.
pub(crate) struct Audit {
    file: Arc<Mutex<LogFile>>,
    folder: PathBuf,
    denied: Mutex<Denied>,
}

/// Whoever is denied must not fill the disk.
struct Denied {
    bucket: TokenBucket,
    unwritten: u64,
}

impl Audit {
    /// Open the log in its folder. What a crash has left of an entry is cut off, and that is written down.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, AuditError> {
        let file = LogFile::open(&folder)?;
        let bucket = TokenBucket::with_period(DENIED_BURST, DENIED_PERIOD, hull_clock::now());
        let denied = Mutex::new(Denied { bucket, unwritten: 0 });
        Ok(Self { file: Arc::new(Mutex::new(file)), folder, denied })
    }

    /// Write down what happens. When this returns it is on disk.
    pub(crate) async fn write(&self, happening: Happening) -> Result<(), AuditError> {
        let file = Arc::clone(&self.file);
        let written = hull_threads::blocking(move || file.lock().append(happening)).await;
        written.unwrap_or_else(|error| Err(self.failed(&error)))
    }

    /// Write down that somebody was denied, as often as that may be.
    pub(crate) async fn write_denied(&self, mut happening: Happening) {
        let unwritten = {
            let mut denied = self.denied.lock();
            if denied.bucket.on_take_one(hull_clock::now()).is_err() {
                denied.unwritten += 1;
                return;
            }
            std::mem::take(&mut denied.unwritten)
        };
        if unwritten > 0 {
            happening.detail = format!("{}; {unwritten} more before it", happening.detail);
        }
        if let Err(error) = self.write(happening).await {
            tracing::error!(%error, "a denied attempt could not be written down");
        }
    }

    /// The last entries, the newest first.
    pub(crate) async fn last(&self, most: usize) -> Result<Vec<Entry>, AuditError> {
        let folder = self.folder.clone();
        let read = hull_threads::blocking(move || file::last(&folder, most)).await;
        read.unwrap_or_else(|error| Err(self.failed(&error)))
    }

    /// Read all of it again and look for edits and gaps; also against what this process knows of its end.
    pub(crate) async fn verify(&self) -> Result<AuditReport, AuditError> {
        let (folder, file) = (self.folder.clone(), Arc::clone(&self.file));
        let verified = hull_threads::blocking(move || {
            // Nothing is appended meanwhile.
            let file = file.lock();
            verify_audit(&folder).map(|report| file.compared(report))
        });
        verified.await.unwrap_or_else(|error| Err(self.failed(&error)))
    }

    fn failed(&self, error: &std::io::Error) -> AuditError {
        AuditError { path: self.folder.display().to_string(), why: error.to_string() }
    }
}
