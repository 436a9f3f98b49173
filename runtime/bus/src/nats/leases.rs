//! Which host an app belongs to, where its data is on one host only: two hosts with a database each would handle every
//! event twice. A lease is the last message of a subject; whoever renews it has it, and nobody's clock decides: a
//! lease is stale when it was watched for as long as it lasts and did not change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, Stream};
use futures::future::join_all;
use parking_lot::Mutex;
use tracing::{error, info, warn};

use super::failure::unavailable;
use crate::error::BusError;

/// How long a lease lasts without being renewed.
const LASTS: Duration = Duration::from_secs(12);
/// How often it is renewed.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often another's lease is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The stream of all leases. Its messages are the last of their subjects only.
const STREAM: &str = "hull-leases";

/// The leases of this host.
pub(super) struct Leases {
    replicas: usize,
    claims: Mutex<HashMap<String, Arc<Claim>>>,
}

/// An app that this host has claimed.
struct Claim {
    app: String,
    owner: String,
    held: Mutex<Option<Held>>,
    /// Held while the lease is taken or renewed.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Held {
    sequence: u64,
    /// When it was last known to be ours.
    since: Instant,
}

impl Leases {
    pub(super) fn new(replicas: usize) -> Self {
        Self { replicas, claims: Mutex::default() }
    }

    /// From now on this app is to be handled by `owner` alone: [`Leases::check`] says whether it is. Whether it was not
    /// claimed before.
    pub(super) fn claim(&self, app: &str, owner: &str) -> bool {
        let mut claims = self.claims.lock();
        if claims.contains_key(app) {
            return false;
        }
        let (name, owner) = (app.to_owned(), owner.to_owned());
        let claim = Claim { app: name.clone(), owner, held: Mutex::default(), changing: tokio::sync::Mutex::default() };
        claims.insert(name, Arc::new(claim));
        true
    }

    /// Whether this host alone handles the app.
    pub(super) fn is_claimed(&self, app: &str) -> bool {
        self.claims.lock().contains_key(app)
    }

    /// Whether anything may be begun for the app now: not while its lease may be another host's, as after a long time
    /// without a connection.
    pub(super) fn may_begin(&self, app: &str) -> bool {
        self.claims.lock().get(app).is_none_or(|claim| claim.is_held())
    }

    /// It is not claimed any more.
    pub(super) fn forget(&self, app: &str) {
        self.claims.lock().remove(app);
    }

    /// Take the app's lease if it was claimed and is not held yet.
    pub(super) async fn check(&self, context: &Context, app: &str) -> Result<(), BusError> {
        let Some(claim) = self.claims.lock().get(app).cloned() else { return Ok(()) };
        if claim.is_held() {
            return Ok(());
        }
        let _changing = claim.changing.lock().await;
        if !claim.is_held() {
            let held = claim.take(context, self.replicas).await?;
            *claim.held.lock() = Some(held);
        }
        Ok(())
    }

    /// Renew all that are held; the apps that are another host's now.
    pub(super) async fn renew(&self, context: &Context) -> Vec<String> {
        let claims: Vec<_> = self.claims.lock().values().cloned().collect();
        let mut lost = Vec::new();
        for claim in claims {
            // Who takes it watches it for long, and the leases of other apps must not end meanwhile.
            let Ok(_changing) = claim.changing.try_lock() else { continue };
            let Some(Held { sequence, .. }) = *claim.held.lock() else { continue };
            match claim.renew(context, sequence).await {
                Ok(Some(renewed)) => *claim.held.lock() = Some(renewed),
                Ok(None) => {
                    error!(
                        app = claim.app,
                        "another host has taken this app: its events are not handled here any more"
                    );
                    *claim.held.lock() = None;
                    lost.push(claim.app.clone());
                }
                Err(error) => warn!(app = claim.app, %error, "the lease of the app could not be renewed"),
            }
        }
        lost
    }

    /// Give it back, so that another host need not wait.
    pub(super) async fn release(&self, context: &Context, app: &str) {
        let claim = self.claims.lock().remove(app);
        if let Some(claim) = claim {
            claim.release(context).await;
        }
    }

    /// Give all back.
    pub(super) async fn release_all(&self, context: &Context) {
        let claims: Vec<_> = self.claims.lock().drain().map(|(_, claim)| claim).collect();
        // One that is just being taken must not keep the others.
        join_all(claims.iter().map(|claim| claim.release(context))).await;
    }
}

impl Claim {
    fn is_held(&self) -> bool {
        self.held.lock().is_some_and(|held| hull_clock::now() < held.since + LASTS)
    }

    async fn take(&self, context: &Context, replicas: usize) -> Result<Held, BusError> {
        let stream = stream(context, &self.app, replicas).await?;
        let mut watched: Option<(u64, Instant)> = None;
        loop {
            let (sequence, owner) = last(&stream, &self.app).await?.unwrap_or_default();
            let now = hull_clock::now();
            if watched.is_some_and(|(before, _)| before != sequence) && owner != self.owner && !owner.is_empty() {
                return Err(BusError::Owned { app: self.app.clone(), owner });
            }
            let (_, since) = *watched.get_or_insert((sequence, now));
            let is_free = owner.is_empty() || owner == self.owner || now >= since + LASTS;
            if is_free && let Some(sequence) = put(context, &self.app, sequence, &self.owner).await? {
                info!(app = self.app, "this host has the lease of the app");
                return Ok(Held { sequence, since: now });
            }
            tokio::time::sleep_until((now + LOOK_EVERY).into()).await;
        }
    }

    async fn release(&self, context: &Context) {
        let _changing = self.changing.lock().await;
        let held = self.held.lock().take();
        if let Some(held) = held {
            // If it fails, the lease ends by itself.
            let _ = put(context, &self.app, held.sequence, "").await;
        }
    }

    /// None if it is another's now.
    async fn renew(&self, context: &Context, sequence: u64) -> Result<Option<Held>, BusError> {
        let since = hull_clock::now();
        if let Some(sequence) = put(context, &self.app, sequence, &self.owner).await? {
            return Ok(Some(Held { sequence, since }));
        }
        // A renewal whose answer was lost is ours as well.
        let stream = context.get_stream(STREAM).await.map_err(|error| unavailable(&self.app, error))?;
        let found = last(&stream, &self.app).await?;
        Ok(found.filter(|(_, owner)| *owner == self.owner).map(|(sequence, _)| Held { sequence, since }))
    }
}

fn subject(app: &str) -> String {
    format!("hull-lease.{app}")
}

async fn stream(context: &Context, app: &str, num_replicas: usize) -> Result<Stream, BusError> {
    let config = Config {
        name: STREAM.to_owned(),
        description: Some("which host an app belongs to, kept by hull".to_owned()),
        subjects: vec![subject("*")],
        max_messages_per_subject: 1,
        num_replicas,
        ..Config::default()
    };
    let made = context.get_or_create_stream(config).await;
    made.map_err(|error| unavailable(app, format!("making the stream {STREAM}: {error}")))
}

/// The lease as it is: its sequence and whose it is.
async fn last(stream: &Stream, app: &str) -> Result<Option<(u64, String)>, BusError> {
    match stream.get_last_raw_message_by_subject(&subject(app)).await {
        Ok(message) => Ok(Some((message.sequence, String::from_utf8_lossy(&message.payload).into_owned()))),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unavailable(app, format!("reading its lease: {error}"))),
    }
}

/// Write the lease after `sequence`; none if somebody else was first.
async fn put(context: &Context, app: &str, sequence: u64, owner: &str) -> Result<Option<u64>, BusError> {
    let message = PublishMessage::build().payload(owner.to_owned().into()).expected_last_subject_sequence(sequence);
    let sent = async { context.send_publish(subject(app), message).await?.await };
    match sent.await {
        Ok(ack) => Ok(Some(ack.sequence)),
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(None),
        Err(error) => Err(unavailable(app, format!("writing its lease: {error}"))),
    }
}
