//! Answering over NATS: a queue subscription, so that of a component's hosts one gets a request. Plain NATS clients
//! can ask as well; they get the answer, or the error header of NATS services.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Client, HeaderMap, Message, RequestErrorKind, Subject, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use hull_invocation::Reply;
use hull_manifest::SubjectPattern;
use tokio::sync::{mpsc, watch};
use tracing::debug;

use super::Shared;
use super::failure::unavailable;
use super::leases::Leases;
use super::link;
use super::requests::{
    GONE, KIND, RECEIPTS, REFUSAL, REFUSAL_CODE, REFUSED, RESPONDER, TAKEN, WAITS_MS, request_subject,
};
use super::settle::pairs;
use crate::bus::Responder;
use crate::cloudevents::{Place, event_of_message};
use crate::error::BusError;
use crate::names::escape;
use crate::request::{Answer, Request};

/// How many requests wait before one responder; beyond that it says that it is busy.
const WAITING_MAX: usize = 256;
/// How long requests that are on their way may take to arrive when a responder is closed.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// How often is looked whether the app is this host's still.
const LOOK_EVERY: Duration = Duration::from_millis(500);

struct OpenResponder {
    app: Arc<str>,
    requests: mpsc::Receiver<Request>,
    closed: watch::Receiver<bool>,
}

/// What a request of one responder needs to be answered.
#[derive(Clone)]
struct Desk {
    app: Arc<str>,
    client: Client,
    /// Tells this responder from others in what it says.
    name: Arc<str>,
}

/// A request that waits for its answer.
struct Open {
    desk: Desk,
    /// Where the answer goes; none once it is sent.
    reply: Option<Subject>,
    /// How long it is waited for, if whoever asked has said so.
    until: Option<Instant>,
}

impl Shared {
    /// Receive requests.
    pub(super) async fn respond(
        &self,
        app: &str,
        component: &str,
        pattern: &SubjectPattern,
    ) -> Result<Box<dyn Responder>, BusError> {
        self.check_open()?;
        let alive = self.alive()?;
        let subject = request_subject(app, pattern.as_str());
        self.connected(app).await?;
        self.leases.check(&self.context, app).await?;
        let subscriber = self.ears.queue_subscribe(subject, escape(component)).await;
        let subscriber = subscriber.map_err(|error| unavailable(app, error))?;
        self.heard(app).await?;
        let (sender, requests) = mpsc::channel(WAITING_MAX);
        let name = format!("{component}-{:016x}", hull_clock::random_u64());
        let desk = Desk { app: app.into(), client: self.client.clone(), name: name.into() };
        let closed = self.closed.subscribe();
        let app = Arc::clone(&desk.app);
        let receiving = receive(desk, Arc::clone(&self.leases), subscriber, sender, closed.clone());
        tokio::spawn(async move {
            receiving.await;
            drop(alive);
        });
        Ok(Box::new(OpenResponder { app, requests, closed }))
    }
}

impl Shared {
    /// Wait until the server has read what was sent over the connection for requests: it answers what nobody else does.
    async fn heard(&self, app: &str) -> Result<(), BusError> {
        let nobody = format!("hull-nobody.{:016x}", hull_clock::random_u64());
        match self.ears.request(nobody, Bytes::new()).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
            Err(error) => Err(unavailable(app, format!("subscribing to its requests: {error}"))),
        }
    }
}

#[async_trait]
impl Responder for OpenResponder {
    async fn next(&mut self) -> Result<Request, BusError> {
        loop {
            let request = tokio::select! {
                biased;
                () = link::until_closed(&mut self.closed) => return Err(BusError::Closed),
                request = self.requests.recv() => request.ok_or_else(|| self.ended())?,
            };
            if request.is_wanted() {
                return Ok(request);
            }
        }
    }
}

impl OpenResponder {
    fn ended(&self) -> BusError {
        if *self.closed.borrow() {
            return BusError::Closed;
        }
        unavailable(&self.app, "requests are not received any more")
    }
}

async fn receive(
    desk: Desk,
    leases: Arc<Leases>,
    mut subscriber: Subscriber,
    requests: mpsc::Sender<Request>,
    mut closed: watch::Receiver<bool>,
) {
    while leases.may_begin(&desk.app) {
        let look = hull_clock::now() + LOOK_EVERY;
        tokio::select! {
            biased;
            () = link::until_closed(&mut closed) => break,
            () = requests.closed() => break,
            () = tokio::time::sleep_until(look.into()) => {}
            message = subscriber.next() => match message {
                Some(message) => {
                    // The subscription comes back with the connection, and the lease may not.
                    if leases.may_begin(&desk.app) {
                        desk.take(message, &requests).await;
                    } else if let Some(reply) = message.reply {
                        desk.say(reply, GONE, None).await;
                    }
                }
                None => return,
            },
        }
    }
    drop(requests);
    if subscriber.drain().await.is_err() {
        return;
    }
    let until = hull_clock::now() + CLOSE_TIME;
    while let Ok(Some(message)) = tokio::time::timeout_at(until.into(), subscriber.next()).await {
        if let Some(reply) = message.reply {
            desk.say(reply, GONE, None).await;
        }
    }
}

impl Desk {
    async fn take(&self, message: Message, requests: &mpsc::Sender<Request>) {
        // Nobody waits for an answer: it was published, not asked.
        let Some(reply) = message.reply else { return };
        let prefix = request_subject(&self.app, "");
        let Some(subject) = message.subject.strip_prefix(prefix.as_str()) else { return };
        let mut headers = pairs(message.headers.as_ref());
        let place = Place { sequence: 0, time_ms: hull_clock::unix_ms() };
        let wants_receipt = taken(&mut headers, RECEIPTS).is_some();
        let waits_ms = taken(&mut headers, WAITS_MS).and_then(|waits| waits.parse().ok());
        let until = waits_ms.and_then(|waits| hull_clock::now().checked_add(Duration::from_millis(waits)));
        let mut event = event_of_message(&self.app, subject, headers, message.payload, place);
        if event.key.id == format!("{}.{}", place.sequence, place.time_ms) {
            // It has no place in a stream that could name it.
            event.key.id = format!("request.{:016x}", hull_clock::random_u64());
        }
        let permit = match requests.try_reserve() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Full(())) => {
                return self.say(reply, REFUSED, Some("the responder is busy")).await;
            }
            Err(mpsc::error::TrySendError::Closed(())) => return self.say(reply, GONE, None).await,
        };
        if wants_receipt {
            self.say(reply.clone(), TAKEN, None).await;
        }
        permit.send(Request::new(event, Box::new(Open { desk: self.clone(), reply: Some(reply), until })));
    }

    async fn say(&self, reply: Subject, kind: &str, refusal: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(KIND, kind);
        headers.insert(RESPONDER, &*self.name);
        if kind != TAKEN {
            headers.insert(REFUSAL, line(refusal.unwrap_or("the responder has gone")));
            headers.insert(REFUSAL_CODE, "503");
        }
        self.send(reply, headers, Bytes::new()).await;
    }

    async fn send(&self, reply: Subject, headers: HeaderMap, payload: Bytes) {
        if let Err(error) = self.client.publish_with_headers(reply, headers, payload).await {
            debug!(app = &*self.app, %error, "an answer was not sent");
        }
    }
}

#[async_trait]
impl Answer for Open {
    async fn send(mut self: Box<Self>, answer: Result<Reply, String>) -> Result<(), BusError> {
        let Some(reply) = self.reply.take() else { return Ok(()) };
        let refusal = match answer {
            Ok(answer) => match self.desk.sendable(&answer) {
                Ok(headers) => {
                    self.desk.send(reply, headers, answer.payload).await;
                    return Ok(());
                }
                Err(reason) => reason,
            },
            Err(refusal) => refusal,
        };
        self.desk.say(reply, REFUSED, Some(&refusal)).await;
        Ok(())
    }

    fn is_wanted(&self) -> bool {
        self.until.is_none_or(|until| hull_clock::now() < until)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let (Some(reply), Ok(runtime)) = (self.reply.take(), tokio::runtime::Handle::try_current()) {
            let desk = self.desk.clone();
            runtime.spawn(async move { desk.say(reply, REFUSED, Some("the responder went away")).await });
        }
    }
}

impl Desk {
    /// The headers of an answer, or why it cannot go out.
    fn sendable(&self, answer: &Reply) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let mut bytes = answer.payload.len();
        for (name, value) in &answer.headers {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            if !is_name || value.contains(['\r', '\n', '\0']) || name.starts_with("hull-") {
                return Err(format!("its answer has a header {name:?} that cannot be sent"));
            }
            bytes += name.len() + value.len() + ": \r\n".len();
            headers.append(name.as_str(), value.as_str());
        }
        let limit = self.client.max_payload();
        if bytes > limit {
            return Err(format!("its answer has {bytes} bytes, and NATS takes {limit}"));
        }
        Ok(headers)
    }
}

/// Take a header of ours out of those that the handler sees.
fn taken(headers: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let at = headers.iter().position(|(known, _)| known == name)?;
    Some(headers.remove(at).1)
}

/// A header's value has one line.
fn line(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], " ")
}
