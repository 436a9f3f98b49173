//! A durable consumer of the embedded bus: the cursor behind a lock, the waiting around it, and its file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hull_manifest::SubjectPattern;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::cursor::{Cursor, Picked, Terms};
use super::housekeeper::Signal;
use super::journal::{Journal, Loaded};
use super::ranges::Ranges;
use super::stream::{Shared, Stored};
use crate::bus::{Consumer, ConsumerSpec};
use crate::delivery::{Delivery, Settle};
use crate::error::BusError;
use crate::names::consumer_name;
use crate::status::ConsumerStatus;

/// Longer than any process lives.
const DELAY_MAX: Duration = Duration::from_hours(24 * 365);
/// How many subjects are compared before a status makes way for others.
const COUNT_MAX: u64 = 65_536;

/// A consumer as it lives in the stream, open or not.
pub(super) struct Durable {
    pub(super) name: String,
    pub(super) component: String,
    pub(super) pattern: SubjectPattern,
    pub(super) wake: Notify,
    cursor: Mutex<Cursor>,
    settings: Mutex<Settings>,
    open: AtomicUsize,
    removed: AtomicBool,
    /// Counts changes; what was written last is compared with it.
    changes: AtomicU64,
    journal: Mutex<Writing>,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    ack_wait: Duration,
    in_flight_max: usize,
}

struct Writing {
    journal: Journal,
    written: u64,
    synced: u64,
}

impl Durable {
    /// A consumer that was found on disk.
    pub(super) fn load(loaded: Loaded, first: u64) -> Result<Self, BusError> {
        let pattern = loaded.pattern.parse::<SubjectPattern>().map_err(|error| BusError::Invalid(error.to_string()))?;
        Ok(Self::new(loaded.component, pattern, loaded.settled, first, loaded.journal))
    }

    /// A consumer that begins now; its place is on disk when this returns. Blocks.
    pub(super) fn create(shared: &Shared, spec: &ConsumerSpec, settled: Ranges) -> Result<Self, BusError> {
        let directory = shared.consumers_directory();
        let journal = Journal::create(&directory, &spec.component, spec.pattern.as_str(), &settled)
            .map_err(|error| shared.unavailable(&format!("making the place of {}: {error}", spec.component)))?;
        let first = shared.index.read().first();
        Ok(Self::new(spec.component.clone(), spec.pattern.clone(), settled, first, journal))
    }

    fn new(component: String, pattern: SubjectPattern, settled: Ranges, first: u64, journal: Journal) -> Self {
        Self {
            name: consumer_name(&component, pattern.as_str()),
            component,
            pattern,
            wake: Notify::new(),
            cursor: Mutex::new(Cursor::new(settled, first)),
            settings: Mutex::new(Settings { ack_wait: Duration::from_secs(30), in_flight_max: 1 }),
            open: AtomicUsize::new(0),
            removed: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            journal: Mutex::new(Writing { journal, written: 0, synced: 0 }),
        }
    }

    /// Take over the settings of whoever opens it.
    pub(super) fn configure(&self, spec: &ConsumerSpec) {
        let in_flight_max = if spec.ordered { 1 } else { spec.max_in_flight.max(1) };
        *self.settings.lock() = Settings { ack_wait: spec.ack_wait.min(DELAY_MAX), in_flight_max };
        self.wake.notify_waiters();
    }

    /// Everything up to here is settled, foreign subjects included.
    pub(super) fn floor(&self, shared: &Shared) -> u64 {
        loop {
            let mut cursor = self.cursor.lock();
            let index = shared.index.read();
            let more = cursor.skip(index.last(), |sequence| self.wants(&index, sequence));
            if !more {
                return cursor.floor();
            }
        }
    }

    fn wants(&self, index: &super::index::Index, sequence: u64) -> bool {
        index.subject(sequence).is_some_and(|subject| self.pattern.matches(subject))
    }

    /// Write the place down if it has changed. Says whether a sync is still owed. Blocks.
    pub(super) fn save(&self, shared: &Shared, sync: bool) -> bool {
        let mut writing = self.journal.lock();
        if self.removed.load(Ordering::Acquire) {
            return false;
        }
        let changes = self.changes.load(Ordering::Acquire);
        let mut result = Ok(());
        if writing.written != changes {
            let settled = self.cursor.lock().settled().clone();
            result = writing.journal.append(&settled).map(|()| writing.written = changes);
        }
        if sync && result.is_ok() && writing.synced != writing.written {
            result = writing.journal.sync().map(|()| writing.synced = writing.written);
        }
        if let Err(error) = result {
            let (app, component) = (&shared.app, &self.component);
            tracing::warn!(app, component, %error, "a consumer's place was not written: a crash would redeliver");
        }
        writing.synced != changes
    }

    /// Forget it. Blocks.
    pub(super) fn remove(&self) -> std::io::Result<()> {
        let writing = self.journal.lock();
        self.removed.store(true, Ordering::Release);
        self.wake.notify_waiters();
        writing.journal.remove()
    }

    pub(super) async fn status(&self, shared: &Arc<Shared>) -> ConsumerStatus {
        let (mut next, in_flight, redelivered, oldest_pending) = {
            let cursor = self.cursor.lock();
            (cursor.next(), cursor.in_flight() as u64, cursor.redelivered(), cursor.oldest_pending())
        };
        let (mut backlog, mut oldest) = (0, oldest_pending);
        loop {
            {
                let index = shared.index.read();
                let (last, end) = (index.last(), next.saturating_add(COUNT_MAX));
                while next <= last && next < end {
                    if self.wants(&index, next) {
                        backlog += 1;
                        oldest.get_or_insert(next);
                    }
                    next += 1;
                }
                if next > last {
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
        let stored = match oldest {
            Some(sequence) => shared.load(vec![sequence]).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let lag_ms = stored.first().map_or(0, |stored| hull_clock::unix_ms().saturating_sub(stored.time_ms));
        ConsumerStatus {
            app: shared.app.clone(),
            component: self.component.clone(),
            pattern: self.pattern.as_str().to_owned(),
            open: self.open.load(Ordering::Acquire),
            backlog,
            in_flight,
            redelivered,
            lag: Duration::from_millis(lag_ms),
        }
    }
}

/// A consumer that somebody has open.
pub(super) struct OpenConsumer {
    shared: Arc<Shared>,
    durable: Arc<Durable>,
    signal: Arc<Signal>,
}

impl OpenConsumer {
    pub(super) fn new(shared: Arc<Shared>, durable: Arc<Durable>, signal: Arc<Signal>) -> Self {
        durable.open.fetch_add(1, Ordering::AcqRel);
        Self { shared, durable, signal }
    }

    fn check_open(&self) -> Result<(), BusError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(BusError::Closed);
        }
        if self.durable.removed.load(Ordering::Acquire) {
            let (component, pattern) = (&self.durable.component, &self.durable.pattern);
            return Err(self.shared.unavailable(&format!("the consumer of {component} for {pattern} was removed")));
        }
        Ok(())
    }

    /// What is to be delivered now; if there is nothing, when to look again.
    fn pick(&self, max: usize) -> (Vec<Picked>, Option<std::time::Instant>) {
        let now = hull_clock::now();
        let Settings { ack_wait, in_flight_max } = *self.durable.settings.lock();
        let mut cursor = self.durable.cursor.lock();
        let index = self.shared.index.read();
        let terms = Terms { max, in_flight_max, last: index.last(), ack_wait };
        let pick = cursor.pick(now, terms, |sequence| self.durable.wants(&index, sequence));
        if pick.picked.is_empty() && pick.more {
            return (Vec::new(), Some(now));
        }
        (pick.picked, cursor.next_due())
    }

    async fn deliver(&self, picked: Vec<Picked>) -> Result<Vec<Delivery>, BusError> {
        let mut held = Held { durable: &self.durable, picked };
        let stored = self.shared.load(held.picked.iter().map(|picked| picked.sequence).collect()).await?;
        let mut deliveries = Vec::with_capacity(stored.len());
        for picked in std::mem::take(&mut held.picked) {
            let handle = Handle { durable: Arc::clone(&self.durable), signal: Arc::clone(&self.signal), picked };
            match stored.iter().find(|stored| stored.sequence == picked.sequence) {
                Some(stored) => deliveries.push(delivery(stored, handle)),
                // The stream has dropped it, which it does only with what is settled.
                None => handle.settle(),
            }
        }
        Ok(deliveries)
    }
}

#[async_trait]
impl Consumer for OpenConsumer {
    async fn fetch(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        loop {
            let woken = self.durable.wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            self.check_open()?;
            let (picked, look_again) = self.pick(max.max(1));
            if !picked.is_empty() {
                let deliveries = self.deliver(picked).await?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
                continue;
            }
            match look_again {
                Some(at) => tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep_until(at.into()) => {}
                },
                None => woken.await,
            }
        }
    }
}

impl Drop for OpenConsumer {
    fn drop(&mut self) {
        self.durable.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// So long from now; a time that no clock can hold is as good as never.
fn after(delay: Duration) -> std::time::Instant {
    hull_clock::now() + delay.min(DELAY_MAX)
}

fn delivery(stored: &Stored, handle: Handle) -> Delivery {
    let mut event = stored.event.clone();
    if event.key.id.is_empty() {
        event.key.id = format!("{}.{}", stored.sequence, stored.time_ms);
    }
    let (sequence, deliveries) = (stored.sequence, handle.picked.deliveries);
    Delivery::new(event, sequence, deliveries, stored.time_ms, Box::new(handle))
}

/// Picked events on their way out; whatever is left of them when it is dropped goes back.
struct Held<'a> {
    durable: &'a Durable,
    picked: Vec<Picked>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.picked.is_empty() {
            let now = hull_clock::now();
            let mut cursor = self.durable.cursor.lock();
            self.picked.drain(..).for_each(|picked| cursor.give_back(picked, now));
            drop(cursor);
            self.durable.wake.notify_waiters();
        }
    }
}

struct Handle {
    durable: Arc<Durable>,
    signal: Arc<Signal>,
    picked: Picked,
}

impl Handle {
    fn settle(&self) {
        if self.durable.cursor.lock().ack(self.picked.sequence) {
            self.durable.changes.fetch_add(1, Ordering::AcqRel);
            self.signal.changed();
        }
        self.durable.wake.notify_waiters();
    }
}

#[async_trait]
impl Settle for Handle {
    async fn ack(&self) -> Result<(), BusError> {
        self.settle();
        Ok(())
    }

    async fn nak(&self, delay: Duration) -> Result<(), BusError> {
        let due = after(delay);
        self.durable.cursor.lock().nak(self.picked.sequence, self.picked.token, due);
        self.durable.wake.notify_waiters();
        Ok(())
    }

    async fn in_progress(&self) -> Result<(), BusError> {
        let until = after(self.durable.settings.lock().ack_wait);
        self.durable.cursor.lock().extend(self.picked.sequence, self.picked.token, until);
        Ok(())
    }
}
