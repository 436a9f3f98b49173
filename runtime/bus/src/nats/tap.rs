//! An open consumer: a task that asks the server for events while somebody waits for them, and keeps those that come
//! when nobody does. JetStream cannot take a pull request back, so whoever stops waiting leaves it behind; what comes
//! then is kept for a moment for the next one who waits, and given back when that takes too long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::{AckKind, Context};
use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tracing::debug;

use super::durable::Durable;
use super::failure::unavailable;
use super::leases::Leases;
use super::link::{self, Link};
use super::pulls::Pulls;
use super::settle;
use super::streams::stream_name;
use crate::bus::Consumer;
use crate::delivery::Delivery;
use crate::error::BusError;

/// How long the server keeps a pull request.
const PULL_TIME: Duration = Duration::from_secs(10);
/// How long after that it counts as lost, with the answer that ends it.
const PULL_GRACE: Duration = Duration::from_secs(1);
/// The most that is asked for at once.
const PULL_MAX: usize = 256;
/// How long an event is kept for the next one who waits; half its ack-wait if that is shorter.
const KEEP_MAX: Duration = Duration::from_secs(2);
/// How often a lease that has lapsed is looked at: it may be renewed.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// When nothing came for so long, the server has nothing to send.
const QUIET_TIME: Duration = Duration::from_millis(50);
/// How long what is on its way may take to arrive when a consumer is closed.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// What the task and whoever waits share.
#[derive(Default)]
pub(super) struct Tap {
    state: Mutex<State>,
    /// There is something to fetch.
    came: Notify,
    /// There is something for the task to do.
    asked: Notify,
}

#[derive(Default)]
struct State {
    kept: VecDeque<Kept>,
    /// How many somebody waits for; 0 while nobody does.
    wanted: usize,
    failure: Option<BusError>,
    is_closed: bool,
}

/// An event that came.
struct Kept {
    message: Message,
    at: Instant,
}

/// What both sides of an open consumer know.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) leases: Arc<Leases>,
    pub(super) durable: Arc<Durable>,
    pub(super) ack_wait: Duration,
    pub(super) max_in_flight: usize,
    pub(super) closed: watch::Receiver<bool>,
}

/// A consumer that somebody has open.
pub(super) struct OpenConsumer {
    terms: Terms,
    tap: Arc<Tap>,
}

/// The task's own state.
pub(super) struct Filling {
    pub(super) terms: Terms,
    pub(super) tap: Arc<Tap>,
    pub(super) subscriber: Subscriber,
    pub(super) inbox: Subject,
    pub(super) link: watch::Receiver<Link>,
    /// Dropped with the task: whoever shuts the bus down waits for that.
    pub(super) _alive: mpsc::Sender<()>,
}

impl OpenConsumer {
    pub(super) fn new(terms: Terms, tap: Arc<Tap>) -> Self {
        terms.durable.opened();
        Self { terms, tap }
    }

    fn check_open(&self) -> Result<(), BusError> {
        if *self.terms.closed.borrow() {
            return Err(BusError::Closed);
        }
        self.terms.durable.check_there()
    }

    fn take(&self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let now = hull_clock::now();
        let mut state = self.tap.state.lock();
        let fresh = now.checked_sub(keep(self.terms.ack_wait) * 2);
        // The task may be late in giving back; what is older than this may be out elsewhere by now.
        while state.kept.front().is_some_and(|kept| fresh.is_some_and(|fresh| kept.at < fresh)) {
            state.kept.pop_front();
        }
        // What came while the app was this host's goes back once another may have it.
        let may_begin = self.terms.leases.may_begin(&self.terms.durable.app);
        let count = if may_begin { state.kept.len().min(max) } else { 0 };
        let taken: Vec<_> = state.kept.drain(..count).collect();
        if taken.is_empty()
            && let Some(failure) = state.failure.take()
        {
            return Err(failure);
        }
        drop(state);
        if !taken.is_empty() {
            self.terms.durable.sweep(now);
        }
        let deliveries = taken.into_iter().filter_map(|kept| settle::delivery(&self.terms, kept.message, kept.at));
        Ok(deliveries.collect())
    }
}

#[async_trait]
impl Consumer for OpenConsumer {
    async fn fetch(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let max = max.max(1);
        let mut closed = self.terms.closed.clone();
        let _waiting = Waiting::begin(&self.tap, max.min(self.terms.max_in_flight).min(PULL_MAX));
        loop {
            let came = self.tap.came.notified();
            let gone = self.terms.durable.gone.notified();
            tokio::pin!(came, gone);
            came.as_mut().enable();
            gone.as_mut().enable();
            self.check_open()?;
            let deliveries = self.take(max)?;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            tokio::select! {
                () = came => {}
                () = gone => {}
                () = link::until_closed(&mut closed) => {}
            }
        }
    }
}

impl Drop for OpenConsumer {
    fn drop(&mut self) {
        self.terms.durable.closed();
        self.tap.state.lock().is_closed = true;
        self.tap.asked.notify_one();
    }
}

/// Somebody waits, until this is dropped.
struct Waiting<'a>(&'a Tap);

impl<'a> Waiting<'a> {
    fn begin(tap: &'a Tap, wanted: usize) -> Self {
        tap.state.lock().wanted = wanted;
        tap.asked.notify_one();
        Self(tap)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().wanted = 0;
    }
}

impl Filling {
    /// Until the consumer or the bus is closed; then everything goes back.
    pub(super) async fn run(mut self) {
        let mut pulls = Pulls::default();
        let mut epoch = self.link.borrow().epoch;
        let mut closed = self.terms.closed.clone();
        loop {
            let now = hull_clock::now();
            let may_begin = self.terms.leases.may_begin(&self.terms.durable.app);
            self.give_back_old(now, may_begin).await;
            let (wanted, kept, is_closed) = {
                let state = self.tap.state.lock();
                (state.wanted, state.kept.len(), state.is_closed)
            };
            if is_closed {
                break;
            }
            let link = *self.link.borrow_and_update();
            if link.epoch != epoch {
                epoch = link.epoch;
                pulls.lost();
            }
            let wants = link.is_up && wanted > kept;
            if wants && may_begin {
                let missing = pulls.missing(now, wanted - kept);
                if missing > 0 {
                    self.pull(missing).await;
                    pulls.asked(missing, now + PULL_TIME + PULL_GRACE);
                }
            }
            let look = (wants && !may_begin).then(|| now + LOOK_EVERY);
            let pulled = pulls.next_until().filter(|_| wanted > 0);
            let wake = [self.next_old(), pulled, look].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = link::until_closed(&mut closed) => break,
                message = self.subscriber.next() => match message {
                    Some(message) => self.take_all(message, &mut pulls),
                    None => break,
                },
                () = self.tap.asked.notified() => {}
                _ = self.link.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
        self.close(pulls).await;
    }

    async fn pull(&self, count: usize) {
        let (stream, consumer) = (stream_name(&self.terms.durable.app), &self.terms.durable.name);
        let request = format!("{{\"batch\":{count},\"expires\":{}}}", PULL_TIME.as_nanos());
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        // It fails only when the client has ended, and then the subscription ends too.
        let _ = self.terms.client.publish_with_reply(subject, self.inbox.clone(), Bytes::from(request)).await;
    }

    /// Take it and what has come with it, so that whoever waits gets them together.
    fn take_all(&mut self, first: Message, pulls: &mut Pulls) {
        let mut next = Some(first);
        while let Some(message) = next.take() {
            self.take(message, pulls);
            next = self.subscriber.next().now_or_never().flatten();
        }
        self.tap.came.notify_waiters();
    }

    fn take(&self, message: Message, pulls: &mut Pulls) {
        let mut state = self.tap.state.lock();
        match message.status {
            None => {
                pulls.came();
                state.kept.push_back(Kept { message, at: hull_clock::now() });
            }
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => pulls.ended(),
            Some(StatusCode::IDLE_HEARTBEAT) => {}
            Some(status) => {
                pulls.lost();
                let durable = &self.terms.durable;
                let why = message.description.unwrap_or_else(|| status.to_string());
                debug!(app = durable.app, consumer = durable.name, why, "a pull request was refused");
                let reason = format!("the consumer of {} for {}: {why}", durable.component, durable.pattern);
                state.failure = Some(unavailable(&durable.app, reason));
            }
        }
    }

    /// When the oldest event goes back, if nobody takes it.
    fn next_old(&self) -> Option<Instant> {
        self.tap.state.lock().kept.front().map(|kept| kept.at + keep(self.terms.ack_wait))
    }

    /// What was kept for too long; and everything while the app may be another host's: what an old pull request
    /// brings then, sent before the connection was lost or waiting in it, is that host's to handle.
    async fn give_back_old(&self, now: Instant, may_begin: bool) {
        loop {
            let old = {
                let mut state = self.tap.state.lock();
                let is_old = |kept: &Kept| !may_begin || kept.at + keep(self.terms.ack_wait) <= now;
                if state.kept.front().is_some_and(is_old) { state.kept.pop_front() } else { None }
            };
            let Some(old) = old else { return };
            self.give_back(old.message).await;
        }
    }

    async fn give_back(&self, message: Message) {
        if let Some(reply) = message.reply {
            let _ = self.terms.client.publish(reply, AckKind::Nak(None).into()).await;
        }
    }

    /// Give everything back. The client drops what is on its way to a subscription that ends, and the server would
    /// wait an ack-wait for it; so it ends when the server owes nothing more, or has nothing to send.
    async fn close(mut self, mut pulls: Pulls) {
        let kept = std::mem::take(&mut self.tap.state.lock().kept);
        for kept in kept {
            self.give_back(kept.message).await;
        }
        let end = hull_clock::now() + CLOSE_TIME;
        while pulls.missing(hull_clock::now(), 1) == 0 {
            let quiet = (hull_clock::now() + QUIET_TIME).min(end);
            match tokio::time::timeout_at(quiet.into(), self.subscriber.next()).await {
                Ok(Some(message)) if message.status.is_none() => {
                    pulls.came();
                    self.give_back(message).await;
                }
                Ok(Some(_)) => pulls.ended(),
                Ok(None) => return,
                Err(_) => break,
            }
        }
        if self.subscriber.drain().await.is_err() {
            return;
        }
        let until = hull_clock::now() + CLOSE_TIME;
        while let Ok(Some(message)) = tokio::time::timeout_at(until.into(), self.subscriber.next()).await {
            if message.status.is_none() {
                self.give_back(message).await;
            }
        }
    }
}

fn keep(ack_wait: Duration) -> Duration {
    KEEP_MAX.min(ack_wait / 2)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
