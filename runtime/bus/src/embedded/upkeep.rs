//! What the writer does besides writing: dropping old events, syncing, and saying how it is.

use std::sync::Arc;

use tracing::{error, info, warn};

use super::disk;
use super::index::Segment;
use super::record::{self, Header, Kind};
use super::writer::Writer;

impl Writer {
    /// Drop the segments that every consumer has acknowledged and that are older than `retain`.
    pub(super) fn retain(&mut self) {
        let floor = self.shared.floor();
        let retain_ms = self.shared.options.retain.as_millis() as u64;
        let mut dropped = false;
        loop {
            let needless = |segment: &Segment| {
                let old = segment.last_ms.saturating_add(retain_ms) <= hull_clock::unix_ms();
                old && segment.end() > segment.base && segment.end() - 1 <= floor
            };
            let (first_is_needless, is_active) = {
                let index = self.shared.index.read();
                let mut segments = index.segments();
                (segments.next().is_some_and(needless), segments.next().is_none())
            };
            if !first_is_needless {
                break;
            }
            if is_active && let Err(reason) = self.roll() {
                warn!(app = self.shared.app, reason, "the bus could not drop old events");
                break;
            }
            let Some((segment, keys)) = self.shared.index.write().drop_first() else { break };
            for key in keys {
                self.dedupe.remove(key, segment.end() - 1);
            }
            if let Err(error) = std::fs::remove_file(&segment.path) {
                let file = segment.path.display();
                warn!(app = self.shared.app, %file, %error, "an old bus file could not be removed");
            }
            dropped = true;
        }
        if dropped && let Err(error) = disk::sync_directory(&self.shared.log_directory()) {
            warn!(app = self.shared.app, %error, "removed bus files may come back after a power cut");
        }
    }

    pub(super) fn sync_active(&mut self) -> Result<(), String> {
        let file = self.shared.index.read().segments().next_back().map(|active| Arc::clone(&active.file));
        let Some(file) = file else { return Ok(()) };
        if let Err(error) = self.shared.disk.sync(&file) {
            self.doubtful = true;
            return Err(format!("syncing the bus file: {error}"));
        }
        self.durable = self.next - 1;
        Ok(())
    }

    /// At the end, write that everything is on disk: then damage to the last events is seen as damage.
    pub(super) fn check(&mut self) {
        if self.doubtful || !self.unchecked || self.sync_active().is_err() {
            return;
        }
        let index = self.shared.index.read();
        let Some(active) = index.segments().next_back() else { return };
        let mut bytes = Vec::with_capacity(record::HEADER_LENGTH);
        let kind = Kind::Checkpoint;
        let header = Header { sequence: self.durable, time_ms: self.last_ms, durable: self.durable, kind };
        record::encode(&mut bytes, active.salt, header, &[]);
        let disk = &self.shared.disk;
        if disk.write(&active.file, &bytes, active.length).and_then(|()| disk.sync(&active.file)).is_err() {
            // Half a checkpoint is a torn tail, which the next opening cuts off.
            let _ = disk.cut(&active.file, active.length);
        }
    }

    pub(super) fn report(&self, failure: Option<&String>) {
        let mut problem = self.shared.problem.lock();
        match failure {
            Some(reason) if problem.as_ref() != Some(reason) => {
                error!(app = self.shared.app, reason, "the bus cannot store events");
            }
            None if problem.is_some() => info!(app = self.shared.app, "the bus stores events again"),
            _ => {}
        }
        *problem = failure.cloned();
    }
}
