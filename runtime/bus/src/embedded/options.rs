//! What an operator decides about the embedded bus, and the bounds that have a default.

use std::path::PathBuf;
use std::time::Duration;

use super::shares::Amount;

/// How the embedded bus keeps events.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Where; made if it does not exist.
    pub directory: PathBuf,
    /// How long an event is kept at least, however soon every consumer has acknowledged it.
    pub retain: Duration,
    /// Whether a publish waits for the disk. Without it an acknowledged event survives a killed process, and not a
    /// power cut.
    pub sync: bool,
    /// How many bytes the files of one app's stream may take. A publisher may take as many as are free.
    pub bytes_max: u64,
    /// How many events one app's stream may hold; each takes about fifty bytes of memory. A publisher may have as many
    /// as there is room for more.
    pub events_max: u64,
    /// How large an event may be with its attributes and headers.
    pub event_bytes_max: usize,
    /// When a new segment file is begun. Events are dropped by whole segments.
    pub segment_bytes: u64,
    /// How many bytes are written and synced together.
    pub batch_bytes_max: usize,
    /// How many requests may wait for an answer.
    pub requests_max: usize,
    /// How long an acknowledgement may be in memory only; a crash within it costs redeliveries.
    pub place_write: Duration,
    /// How long a written acknowledgement may be without a sync; a power cut within it costs redeliveries.
    pub place_sync: Duration,
}

impl EmbeddedOptions {
    /// The defaults, in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            retain: Duration::from_hours(7 * 24),
            sync: true,
            bytes_max: 4 << 30,
            events_max: 5_000_000,
            event_bytes_max: 9 << 20,
            segment_bytes: 32 << 20,
            batch_bytes_max: 4 << 20,
            requests_max: 1024,
            place_write: Duration::from_millis(100),
            place_sync: Duration::from_secs(1),
        }
    }

    /// How large one app's stream may become.
    pub(super) fn size(&self) -> Amount {
        Amount { bytes: self.bytes_max, events: self.events_max }
    }

    /// What a record in a file may be long: larger than what is taken now, so that files outlive a smaller bound.
    pub(super) fn body_bytes_max(&self) -> usize {
        self.event_bytes_max.max(BODY_BYTES_MAX)
    }
}

const BODY_BYTES_MAX: usize = 16 << 20;
