//! A durable consumer as this host sees it: made or brought up to date on the server, and what this host has taken
//! from it and not answered, so that a host that stops gives all of it back at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{ConsumerErrorKind, Stream};
use async_nats::jetstream::{AckKind, ErrorCode};
use async_nats::{Client, Subject};
use hull_manifest::{Start, SubjectPattern};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::info;

use super::failure::unavailable;
use crate::bus::ConsumerSpec;
use crate::error::BusError;
use crate::names::{consumer_name, stream_subject};

/// The server never gives up on an event by itself: what was never run would count as delivered.
const DELIVERIES_UNBOUNDED: i64 = -1;
/// The least that JetStream keeps apart.
const ACK_WAIT_MIN: Duration = Duration::from_millis(1);
/// Longer than any process lives.
const ACK_WAIT_MAX: Duration = Duration::from_hours(24 * 365);
/// Between what a consumer's description says first and its pattern.
const DESCRIPTION: &str = "hull";

/// A consumer that was opened here.
pub(super) struct Durable {
    pub(super) app: String,
    pub(super) component: String,
    pub(super) pattern: SubjectPattern,
    /// Its name on the server.
    pub(super) name: String,
    /// Wakes those who wait for its events when it is removed.
    pub(super) gone: Notify,
    removed: AtomicBool,
    open: AtomicUsize,
    redelivered: AtomicU64,
    out: Mutex<BTreeMap<u64, Out>>,
}

/// A delivery that is out.
struct Out {
    reply: Subject,
    until: Instant,
}

impl Durable {
    pub(super) fn new(spec: &ConsumerSpec) -> Self {
        Self {
            app: spec.app.clone(),
            component: spec.component.clone(),
            pattern: spec.pattern.clone(),
            name: consumer_name(&spec.component, spec.pattern.as_str()),
            gone: Notify::new(),
            removed: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            redelivered: AtomicU64::new(0),
            out: Mutex::default(),
        }
    }

    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(super) fn redelivered_count(&self) -> u64 {
        self.redelivered.load(Ordering::Relaxed)
    }

    /// Nobody gets its events any more.
    pub(super) fn remove(&self) {
        self.removed.store(true, Ordering::Release);
        self.gone.notify_waiters();
    }

    pub(super) fn check_there(&self) -> Result<(), BusError> {
        if self.removed.load(Ordering::Acquire) {
            let (component, pattern) = (&self.component, &self.pattern);
            return Err(unavailable(&self.app, format!("the consumer of {component} for {pattern} was removed")));
        }
        Ok(())
    }

    /// A delivery goes out to a handler.
    pub(super) fn hand_out(&self, sequence: u64, reply: Subject, until: Instant, deliveries: u32) {
        if deliveries > 1 {
            self.redelivered.fetch_add(1, Ordering::Relaxed);
        }
        self.out.lock().insert(sequence, Out { reply, until });
    }

    /// It is held for longer.
    pub(super) fn hold(&self, sequence: u64, until: Instant) {
        if let Some(out) = self.out.lock().get_mut(&sequence) {
            out.until = until;
        }
    }

    /// It was answered.
    pub(super) fn settled(&self, sequence: u64, reply: &Subject) {
        let mut out = self.out.lock();
        if out.get(&sequence).is_some_and(|held| held.reply == *reply) {
            out.remove(&sequence);
        }
    }

    /// Forget deliveries that were dropped without an answer and whose time has passed.
    pub(super) fn sweep(&self, now: Instant) {
        self.out.lock().retain(|_, out| out.until > now);
    }

    /// Give back everything that is out, in the order of the stream.
    pub(super) async fn give_back(&self, client: &Client, now: Instant) {
        let out = std::mem::take(&mut *self.out.lock());
        for out in out.into_values().filter(|out| out.until > now) {
            // Without a connection the server gives it to others when its ack-wait has passed.
            let _ = client.publish(out.reply, AckKind::Nak(None).into()).await;
        }
    }
}

/// So long is an event out without a sign of life.
pub(super) fn ack_wait_of(spec: &ConsumerSpec) -> Duration {
    spec.ack_wait.clamp(ACK_WAIT_MIN, ACK_WAIT_MAX)
}

/// How long the server takes to notice that an ack-wait has become short, and to look at what is out.
const REVIVE_TIME: Duration = Duration::from_millis(300);

/// Have everything delivered again that is out, at once: whoever took it was this host, before it was killed. The
/// server knows no such request, but it takes back what is out for longer than the ack-wait, and that can be changed.
pub(super) async fn revive(stream: &Stream, durable: &Durable) -> Result<(), BusError> {
    let failed =
        |error: &dyn std::fmt::Display| unavailable(&durable.app, format!("reviving {}: {error}", durable.component));
    let known = match stream.consumer_info(&durable.name).await {
        Ok(known) if known.num_ack_pending > 0 => known.config,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&error)),
    };
    let brief = pull::Config {
        durable_name: known.durable_name,
        description: known.description,
        deliver_policy: known.deliver_policy,
        ack_policy: known.ack_policy,
        ack_wait: ACK_WAIT_MIN,
        max_deliver: known.max_deliver,
        max_ack_pending: known.max_ack_pending,
        filter_subject: known.filter_subject,
        ..pull::Config::default()
    };
    // Opening the consumer sets the ack-wait right again.
    stream.create_consumer(brief).await.map_err(|error| failed(&error))?;
    tokio::time::sleep_until((hull_clock::now() + REVIVE_TIME).into()).await;
    Ok(())
}

/// Have the consumer on the server as the spec says. Its start counts once, when it is made.
pub(super) async fn ensure(stream: &Stream, durable: &Durable, spec: &ConsumerSpec) -> Result<(), BusError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        unavailable(&durable.app, format!("{what} the consumer of {}: {error}", durable.component))
    };
    let mut wanted = config_of(durable, spec);
    let known = match stream.consumer_info(&durable.name).await {
        Ok(known) => Some(known.config),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => None,
        Err(error) => return Err(failed("looking up", &error)),
    };
    if let Some(known) = &known {
        wanted.deliver_policy = known.deliver_policy;
        let same = known.ack_wait == wanted.ack_wait
            && known.max_ack_pending == wanted.max_ack_pending
            && known.max_deliver == wanted.max_deliver
            && known.description == wanted.description;
        if same {
            return Ok(());
        }
    }
    match stream.create_consumer(wanted).await {
        Ok(_) => {
            let (app, component, pattern) = (&durable.app, &durable.component, &durable.pattern);
            let what = if known.is_some() { "brought up to date" } else { "made" };
            info!(app, component, %pattern, "a consumer was {what}");
            Ok(())
        }
        Err(error) => match error.kind() {
            ConsumerErrorKind::JetStream(refusal) if refusal.error_code() == ErrorCode::CONSUMER_CREATE => {
                Err(BusError::Configuration(format!("the consumer of {}: {refusal}", durable.component)))
            }
            _ => Err(failed("making", &error)),
        },
    }
}

fn config_of(durable: &Durable, spec: &ConsumerSpec) -> pull::Config {
    let in_flight_max = if spec.ordered { 1 } else { spec.max_in_flight.max(1) };
    pull::Config {
        durable_name: Some(durable.name.clone()),
        description: Some(format!("{DESCRIPTION} {} {}", durable.component, durable.pattern)),
        deliver_policy: match spec.start {
            Start::All => DeliverPolicy::All,
            Start::New => DeliverPolicy::New,
        },
        ack_policy: AckPolicy::Explicit,
        ack_wait: ack_wait_of(spec),
        max_deliver: DELIVERIES_UNBOUNDED,
        max_ack_pending: i64::try_from(in_flight_max).unwrap_or(i64::MAX),
        filter_subject: stream_subject(&spec.app, spec.pattern.as_str()),
        ..pull::Config::default()
    }
}

/// Whose consumer this is, by its description: component and pattern. None for those that somebody else made.
pub(super) fn owner(description: Option<&str>) -> Option<(&str, &str)> {
    let mut words = description?.split(' ');
    let owner = (words.next()? == DESCRIPTION).then_some((words.next()?, words.next()?));
    owner.filter(|_| words.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn only_our_own_consumers_have_an_owner() {
        assert_eq!(owner(Some("hull orders payments.*")), Some(("orders", "payments.*")));
        for other in [None, Some(""), Some("orders payments.*"), Some("hull orders"), Some("hull orders a and more")] {
            assert_eq!(owner(other), None, "{other:?}");
        }
    }
}
