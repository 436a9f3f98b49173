//! The thread that writes a stream. Publishes that wait together are written and synced together, so that durability
//! costs one sync a batch and not one an event; nobody is answered before it.

use std::collections::HashMap;
use std::sync::Arc;

use hull_invocation::Event;
use tokio::sync::{mpsc, oneshot};
use tracing::info;

use super::dedupe::{Dedupe, same_content};
use super::index::NewEntry;
use super::record::{self, Header, Kind};
use super::segment;
use super::shares::{Amount, Shares};
use super::stream::{Shared, Stored};
use crate::bus::Published;
use crate::error::BusError;

/// How many publishes share a batch at most.
const BATCH_LENGTH_MAX: usize = 1024;

/// What the writer is asked to do.
pub(super) enum Command {
    /// Store these in order, up to the first that cannot be.
    Publish(Publish),
    /// Drop what nobody needs any more.
    Retain,
}

/// Events of one caller.
pub(super) struct Publish {
    pub(super) events: Vec<Prepared>,
    pub(super) answer: oneshot::Sender<Vec<Result<Published, BusError>>>,
}

/// An event with its encoded form, made by the publisher's own task.
pub(super) struct Prepared {
    pub(super) event: Event,
    pub(super) body: Vec<u8>,
}

/// The writer's own state; everything that readers share is in `Shared`.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) dedupe: Dedupe,
    /// The next sequence to give.
    pub(super) next: u64,
    /// The last sequence that is known to be on disk.
    pub(super) durable: u64,
    pub(super) last_ms: u64,
    /// A sync has failed: what the file holds beyond `durable` is unknown.
    pub(super) doubtful: bool,
    /// Events were written after the last checkpoint.
    pub(super) unchecked: bool,
}

/// What a batch is going to write.
#[derive(Default)]
struct Staged {
    /// Of the segment that it goes to.
    salt: u64,
    bytes: Vec<u8>,
    events: Vec<StagedEvent>,
    keys: HashMap<u64, usize>,
    shares: Shares,
}

struct StagedEvent {
    key: u64,
    /// In the batch's bytes.
    offset: u64,
    stored: Arc<Stored>,
}

enum Slot {
    Known(Result<Published, BusError>),
    Staged { place: usize, duplicate: bool },
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, dedupe: Dedupe, last_ms: u64) -> Self {
        let last = shared.index.read().last();
        Self { shared, dedupe, next: last + 1, durable: last, last_ms, doubtful: false, unchecked: false }
    }

    /// Until every sender is gone. Runs on a thread of its own.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let (mut batch, mut bytes, mut retain) = (Vec::new(), 0, false);
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Publish(publish) => {
                        bytes += publish.events.iter().map(|event| event.body.len()).sum::<usize>();
                        batch.push(publish);
                    }
                    Command::Retain => retain = true,
                }
                let room = bytes < self.shared.options.batch_bytes_max && batch.len() < BATCH_LENGTH_MAX;
                next = if room { commands.try_recv().ok() } else { None };
            }
            if !batch.is_empty() {
                self.commit(batch);
            }
            if retain && !self.doubtful {
                self.retain();
            }
        }
        self.check();
    }

    fn commit(&mut self, batch: Vec<Publish>) {
        let ready = self.make_ready(&batch);
        let salt = self.shared.index.read().segments().next_back().map_or(0, |active| active.salt);
        let mut staged = Staged { salt, ..Staged::default() };
        let (answers, slots): (Vec<_>, Vec<Vec<Slot>>) = batch
            .into_iter()
            .map(|publish| match &ready {
                Ok(()) => (publish.answer, self.plan(publish.events, &mut staged)),
                Err(reason) => (publish.answer, vec![Slot::Known(Err(self.shared.unavailable(reason)))]),
            })
            .unzip();
        let base = self.next;
        let stored = if staged.events.is_empty() { Ok(()) } else { self.store(staged) };
        self.report(ready.as_ref().err().or(stored.as_ref().err()));
        for (answer, slots) in answers.into_iter().zip(slots) {
            let mut results = Vec::with_capacity(slots.len());
            for slot in slots {
                let result = match (slot, &stored) {
                    (Slot::Known(result), _) => result,
                    (Slot::Staged { place, duplicate }, Ok(())) => {
                        Ok(Published { sequence: base + place as u64, duplicate })
                    }
                    (Slot::Staged { .. }, Err(reason)) => Err(self.shared.unavailable(reason)),
                };
                let failed = result.is_err();
                results.push(result);
                if failed {
                    break;
                }
            }
            // Whoever asked may have gone; the events are stored all the same.
            let _ = answer.send(results);
        }
    }

    /// Heal what a failed sync left, begin a new segment if it is time, and look for room if there is none.
    fn make_ready(&mut self, batch: &[Publish]) -> Result<(), String> {
        let full = {
            let index = self.shared.index.read();
            let active = index.segments().next_back().ok_or("the stream has no segment")?;
            if self.doubtful {
                segment::verify(&*self.shared.disk, active, self.shared.options.body_bytes_max())?;
                info!(app = self.shared.app, file = %active.path.display(), "the bus file is whole again");
            }
            active.length >= self.shared.options.segment_bytes
        };
        if full || self.doubtful {
            self.roll()?;
            self.doubtful = false;
        }
        let mut asked = Shares::default();
        for prepared in batch.iter().flat_map(|publish| &publish.events) {
            asked.add(&prepared.event.key.source, Amount::of_body(prepared.body.len()));
        }
        if !asked.publishers().all(|publisher| self.has_room(&asked, publisher, Amount::default())) {
            self.retain();
        }
        Ok(())
    }

    pub(super) fn roll(&mut self) -> Result<(), String> {
        if !self.shared.options.sync && !self.doubtful {
            self.sync_active()?;
        }
        let segment = segment::create(&self.shared.log_directory(), self.next)
            .map_err(|error| format!("beginning a new bus file: {error}"))?;
        self.shared.index.write().roll(segment);
        Ok(())
    }

    /// Decide for each event what becomes of it, up to the first that cannot be stored.
    fn plan(&mut self, events: Vec<Prepared>, staged: &mut Staged) -> Vec<Slot> {
        let mut slots = Vec::with_capacity(events.len());
        for prepared in events {
            let key = self.dedupe.key(&prepared.event.key.source, &prepared.event.key.id);
            let (publisher, amount) = (&prepared.event.key.source, Amount::of_body(prepared.body.len()));
            let slot = match self.find_duplicate(key, &prepared.event, staged) {
                Some(slot) => slot,
                None if self.has_room(&staged.shares, publisher, amount) => self.stage(key, prepared, staged),
                None => Slot::Known(Err(self.shared.full(publisher))),
            };
            let failed = matches!(slot, Slot::Known(Err(_)));
            slots.push(slot);
            if failed {
                break;
            }
        }
        slots
    }

    fn find_duplicate(&self, key: u64, event: &Event, staged: &Staged) -> Option<Slot> {
        if event.key.id.is_empty() {
            return None;
        }
        let (sequence, earlier, slot) = if let Some(place) = staged.keys.get(&key).copied() {
            let stored = Arc::clone(&staged.events.get(place)?.stored);
            (self.next + place as u64, stored, Slot::Staged { place, duplicate: true })
        } else {
            let sequence = self.dedupe.find(key)?;
            let stored = match self.shared.load_blocking(sequence) {
                Ok(stored) => stored?,
                Err(error) => return Some(Slot::Known(Err(error))),
            };
            (sequence, stored, Slot::Known(Ok(Published { sequence, duplicate: true })))
        };
        if earlier.event.key != event.key {
            return None;
        }
        if same_content(&earlier.event, event) {
            return Some(slot);
        }
        let (source_name, id) = (event.key.source.clone(), event.key.id.clone());
        Some(Slot::Known(Err(BusError::IdReused { source_name, id, sequence })))
    }

    fn has_room(&self, written: &Shares, publisher: &str, more: Amount) -> bool {
        self.shared.index.read().has_room(self.shared.options.size(), written, publisher, more)
    }

    fn stage(&mut self, key: u64, prepared: Prepared, staged: &mut Staged) -> Slot {
        let place = staged.events.len();
        let sequence = self.next + place as u64;
        self.last_ms = self.last_ms.max(hull_clock::unix_ms());
        let (time_ms, offset) = (self.last_ms, staged.bytes.len() as u64);
        let header = Header { sequence, time_ms, durable: self.durable, kind: Kind::Event };
        record::encode(&mut staged.bytes, staged.salt, header, &prepared.body);
        staged.shares.add(&prepared.event.key.source, Amount::of_body(prepared.body.len()));
        let unnamed = prepared.event.key.id.is_empty();
        let stored = Arc::new(Stored { sequence, time_ms, event: prepared.event });
        staged.events.push(StagedEvent { key, offset, stored });
        if !unnamed {
            staged.keys.insert(key, place);
        }
        Slot::Staged { place, duplicate: false }
    }

    /// Write, sync, and only then let readers see it.
    fn store(&mut self, staged: Staged) -> Result<(), String> {
        let (file, length) = {
            let index = self.shared.index.read();
            let active = index.segments().next_back().ok_or("the stream has no segment")?;
            (Arc::clone(&active.file), active.length)
        };
        let count = staged.events.len() as u64;
        if let Err(error) = self.shared.disk.write(&file, &staged.bytes, length) {
            // Cut off, nothing of it was there; else its numbers may be on disk and are not given again.
            if self.shared.disk.cut(&file, length).is_err() {
                self.next += count;
                self.doubtful = true;
            }
            return Err(format!("writing the bus file: {error}"));
        }
        if self.shared.options.sync
            && let Err(error) = self.shared.disk.sync(&file)
        {
            self.next += count;
            self.doubtful = true;
            return Err(format!("syncing the bus file: {error}"));
        }
        self.next += count;
        if self.shared.options.sync {
            self.durable = self.next - 1;
        }
        self.unchecked = true;
        let end = length + staged.bytes.len() as u64;
        self.publish(staged, length, end);
        Ok(())
    }

    fn publish(&mut self, staged: Staged, begin: u64, end: u64) {
        let nexts = staged.events.iter().skip(1).map(|staged| begin + staged.offset).chain([end]);
        {
            let mut index = self.shared.index.write();
            for (StagedEvent { key, offset, stored }, next) in staged.events.iter().zip(nexts) {
                let (publisher, subject) = (&stored.event.key.source, &stored.event.subject);
                let (key, offset, time_ms) = (*key, begin + offset, stored.time_ms);
                index.enter(NewEntry { key, offset, publisher, subject, time_ms }, next);
            }
        }
        for StagedEvent { key, stored, .. } in &staged.events {
            if !stored.event.key.id.is_empty() {
                self.dedupe.enter(*key, stored.sequence);
            }
        }
        self.shared.remember(staged.events.into_iter().map(|staged| staged.stored));
    }
}
