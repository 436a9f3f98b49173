//! One app's stream: what the writer, the consumers and the status share of it, and how an event is read back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hull_invocation::Event;
use hull_manifest::check_subject;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot};

use super::codec;
use super::consumer::Durable;
use super::disk::Disk;
use super::index::Index;
use super::options::EmbeddedOptions;
use super::recent::Recent;
use super::recovery::{self, Recovered};
use super::segment;
use super::writer::{Command, Prepared, Publish, Writer};
use crate::bus::Published;
use crate::error::BusError;

/// How many commands wait for the writer at most; publishers wait beyond that.
const COMMANDS_MAX: usize = 4096;

/// An event with its place.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
    pub(super) event: Event,
}

/// What everybody who works on a stream shares.
pub(super) struct Shared {
    pub(super) app: String,
    pub(super) directory: PathBuf,
    pub(super) options: Arc<EmbeddedOptions>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) index: RwLock<Index>,
    pub(super) consumers: RwLock<BTreeMap<String, Arc<Durable>>>,
    pub(super) problem: Mutex<Option<String>>,
    pub(super) closed: AtomicBool,
    pub(super) recent: Mutex<Recent>,
}

/// A stream, open.
pub(super) struct Stream {
    pub(super) shared: Arc<Shared>,
    commands: Mutex<Option<mpsc::Sender<Command>>>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Stream {
    /// Open or make the stream of an app. Blocks.
    pub(super) fn open(
        app: &str,
        directory: PathBuf,
        options: Arc<EmbeddedOptions>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, BusError> {
        let recovered = recovery::open(app, &directory, &*disk, options.body_bytes_max())?;
        let Recovered { index, dedupe, consumers, last_ms } = recovered;
        let first = index.first();
        let consumers = consumers
            .into_iter()
            .map(|loaded| Durable::load(loaded, first).map(|durable| (durable.name.clone(), Arc::new(durable))))
            .collect::<Result<_, _>>()?;
        let shared = Arc::new(Shared {
            app: app.to_owned(),
            directory,
            options,
            disk,
            index: RwLock::new(index),
            consumers: RwLock::new(consumers),
            problem: Mutex::new(None),
            closed: AtomicBool::new(false),
            recent: Mutex::new(Recent::default()),
        });
        let (sender, receiver) = mpsc::channel(COMMANDS_MAX);
        let writer = Writer::new(Arc::clone(&shared), dedupe, last_ms);
        let thread = std::thread::Builder::new()
            .name(format!("bus-{app}"))
            .spawn(move || writer.run(receiver))
            .map_err(|error| shared.unavailable(&format!("starting its writer: {error}")))?;
        Ok(Self { shared, commands: Mutex::new(Some(sender)), writer: Mutex::new(Some(thread)) })
    }

    /// Hand events to the writer, in order, and wait for what became of them.
    pub(super) async fn publish(&self, events: &[Event]) -> Vec<Result<Published, BusError>> {
        let mut prepared = Vec::with_capacity(events.len());
        let mut refused = None;
        for event in events {
            match self.prepare(event) {
                Ok(one) => prepared.push(one),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let expected = prepared.len();
        let mut results = if prepared.is_empty() { Vec::new() } else { self.send(prepared).await };
        if results.len() == expected && results.iter().all(Result::is_ok) {
            results.extend(refused.map(Err));
        }
        results
    }

    async fn send(&self, events: Vec<Prepared>) -> Vec<Result<Published, BusError>> {
        let Some(commands) = self.commands.lock().clone() else { return vec![Err(BusError::Closed)] };
        let (answer, answered) = oneshot::channel();
        if commands.send(Command::Publish(Publish { events, answer })).await.is_err() {
            return vec![Err(BusError::Closed)];
        }
        drop(commands);
        answered.await.unwrap_or_else(|_| vec![Err(self.shared.unavailable("its writer has stopped"))])
    }

    fn prepare(&self, event: &Event) -> Result<Prepared, BusError> {
        check_subject(&event.subject).map_err(|error| BusError::Invalid(error.to_string()))?;
        let body = codec::encode(event).ok_or_else(|| {
            let what = "an attribute or header has more than 65535 bytes, or there are more than 256 headers";
            BusError::Invalid(what.to_owned())
        })?;
        let limit_bytes = self.shared.options.event_bytes_max;
        if body.len() > limit_bytes {
            return Err(BusError::TooLarge { bytes: body.len(), limit_bytes });
        }
        Ok(Prepared { event: event.clone(), body })
    }

    /// Ask the writer to drop what nobody needs; it does so when it comes to it.
    pub(super) fn ask_to_retain(&self) {
        if let Some(commands) = &*self.commands.lock() {
            // A full queue means that the writer is busy; it is asked again.
            let _ = commands.try_send(Command::Retain);
        }
    }

    /// Take no more publishes, and wake everybody who waits for events.
    pub(super) fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        *self.commands.lock() = None;
        for durable in self.shared.consumers.read().values() {
            durable.wake.notify_waiters();
        }
    }

    /// Wait until the writer has written what it had. Blocks.
    pub(super) fn join(&self) {
        if let Some(thread) = self.writer.lock().take()
            && thread.join().is_err()
        {
            tracing::error!(app = self.shared.app, "the bus's writer panicked");
        }
    }
}

impl Shared {
    /// The directory of the segment files.
    pub(super) fn log_directory(&self) -> PathBuf {
        self.directory.join(recovery::LOG)
    }

    /// The directory of the consumers' places.
    pub(super) fn consumers_directory(&self) -> PathBuf {
        self.directory.join(recovery::CONSUMERS)
    }

    pub(super) fn unavailable(&self, reason: &str) -> BusError {
        BusError::Unavailable { app: self.app.clone(), reason: reason.to_owned() }
    }

    pub(super) fn full(&self, publisher: &str) -> BusError {
        let options = &self.options;
        let limit = format!("{} bytes and {} events", options.bytes_max, options.events_max);
        BusError::Full { app: self.app.clone(), publisher: publisher.to_owned(), limit }
    }

    /// Every consumer has settled everything up to here.
    pub(super) fn floor(&self) -> u64 {
        let consumers: Vec<_> = self.consumers.read().values().cloned().collect();
        consumers.iter().map(|durable| durable.floor(self)).min().unwrap_or(u64::MAX)
    }

    /// Keep new events in memory for a while, and wake the consumers that want one of them.
    pub(super) fn remember(&self, events: impl Iterator<Item = Arc<Stored>>) {
        let mut subjects: Vec<String> = Vec::new();
        {
            let mut recent = self.recent.lock();
            for stored in events {
                if !subjects.contains(&stored.event.subject) && subjects.len() < 16 {
                    subjects.push(stored.event.subject.clone());
                } else if !subjects.contains(&stored.event.subject) {
                    // Too many to compare: everybody is woken.
                    subjects.push(String::new());
                }
                recent.push(stored);
            }
        }
        for durable in self.consumers.read().values() {
            if subjects.iter().any(|subject| subject.is_empty() || durable.pattern.matches(subject)) {
                durable.wake.notify_waiters();
            }
        }
    }

    /// Let go of the events in memory that every consumer has settled.
    pub(super) fn forget_settled(&self) {
        if self.recent.lock().is_empty() {
            return;
        }
        let floor = self.floor();
        let forgotten = self.recent.lock().forget(floor);
        drop(forgotten);
    }

    fn recall(&self, sequence: u64) -> Option<Arc<Stored>> {
        self.recent.lock().get(sequence).cloned()
    }

    /// The event, if the stream holds it. Blocks if it is not in memory.
    pub(super) fn load_blocking(&self, sequence: u64) -> Result<Option<Arc<Stored>>, BusError> {
        if let Some(stored) = self.recall(sequence) {
            return Ok(Some(stored));
        }
        let Some(location) = self.index.read().locate(sequence) else { return Ok(None) };
        let (time_ms, event) = segment::read(&location, sequence, self.options.body_bytes_max())?;
        Ok(Some(Arc::new(Stored { sequence, time_ms, event })))
    }

    /// The events of these sequences, as far as the stream holds them.
    pub(super) async fn load(self: &Arc<Self>, sequences: Vec<u64>) -> Result<Vec<Arc<Stored>>, BusError> {
        let recalled: Option<Vec<_>> = sequences.iter().map(|sequence| self.recall(*sequence)).collect();
        if let Some(stored) = recalled {
            return Ok(stored);
        }
        let shared = Arc::clone(self);
        let read = hull_threads::blocking(move || {
            sequences.into_iter().filter_map(|sequence| shared.load_blocking(sequence).transpose()).collect()
        });
        read.await.unwrap_or_else(|_| Err(self.unavailable("reading its files was interrupted")))
    }
}
