//! Asking over NATS. One inbox for all requests of this host, the token at its end says whose an answer is; who waits
//! is in a table, and the table is bounded.
//!
//! One request may reach several components, and the first answer wins. So that a refusal does not hide another's
//! answer, whoever got a request of Hull's says so at once, and it has failed only when all of those have refused.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message, StatusCode, Subscriber};
use futures::StreamExt;
use hull_invocation::{Event, Reply};
use hull_manifest::check_subject;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, watch};

use super::Shared;
use super::failure::{unavailable, unconnected};
use super::link;
use super::settle::pairs;
use crate::cloudevents::headers_of_event;
use crate::error::BusError;

/// Asks those who answer to say that they got it; its value is of no meaning.
pub(super) const RECEIPTS: &str = "hull-receipts";
/// For how many milliseconds the answer is waited for: whoever gets to the request later leaves it.
pub(super) const WAITS_MS: &str = "hull-waits-ms";
/// What a message to the inbox is; an answer has none.
pub(super) const KIND: &str = "hull-reply";
/// Who it is of.
pub(super) const RESPONDER: &str = "hull-responder";
/// Why there is no answer, in the header that NATS services use for it.
pub(super) const REFUSAL: &str = "Nats-Service-Error";
pub(super) const REFUSAL_CODE: &str = "Nats-Service-Error-Code";
pub(super) const TAKEN: &str = "taken";
pub(super) const GONE: &str = "gone";
pub(super) const REFUSED: &str = "refused";

/// Longer than anybody waits.
const TIMEOUT_MAX: Duration = Duration::from_hours(24);
/// How long those who got the request have to say so, once all that have said so have refused.
const LATE: Duration = Duration::from_millis(50);

/// What goes to an inbox is for nobody else, so nothing of it is stored.
pub(super) fn request_subject(app: &str, subject: &str) -> String {
    format!("hull-request.{app}.{subject}")
}

/// Who waits for answers.
pub(super) struct Requests {
    inbox: String,
    waiting: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Message>>>>,
    pending: Semaphore,
    limit: usize,
}

/// The place of a request in the table, until it is dropped.
struct Place<'a> {
    requests: &'a Requests,
    token: String,
}

/// What is known of a request's answers.
#[derive(Default)]
struct Answers {
    /// Those that have it and have said nothing else.
    open: HashSet<String>,
    /// Why the last one refused; none if all that said anything had gone.
    refusal: Option<String>,
}

/// What a message to the inbox says.
enum Said {
    Answer(Reply),
    Nobody,
    More { all_refused: bool },
}

impl Requests {
    /// Listen for answers.
    pub(super) async fn open(client: &Client, limit: usize, closed: watch::Receiver<bool>) -> Result<Self, BusError> {
        let inbox = client.new_inbox();
        let subscriber = client.subscribe(format!("{inbox}.*")).await.map_err(|error| unavailable("", error))?;
        let waiting = Arc::new(Mutex::new(HashMap::new()));
        tokio::spawn(sort(subscriber, Arc::clone(&waiting), inbox.len() + 1, closed));
        Ok(Self { inbox, waiting, pending: Semaphore::new(limit), limit })
    }

    fn enter(&self) -> (Place<'_>, mpsc::UnboundedReceiver<Message>) {
        let token = format!("{:016x}", hull_clock::random_u64());
        let (sender, receiver) = mpsc::unbounded_channel();
        self.waiting.lock().insert(token.clone(), sender);
        (Place { requests: self, token }, receiver)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.requests.waiting.lock().remove(&self.token);
    }
}

/// Give each message to whoever waits for it; one that nobody waits for any more is late.
async fn sort(
    mut subscriber: Subscriber,
    waiting: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Message>>>>,
    prefix: usize,
    mut closed: watch::Receiver<bool>,
) {
    loop {
        let message = tokio::select! {
            () = link::until_closed(&mut closed) => None,
            message = subscriber.next() => message,
        };
        let Some(message) = message else { break };
        let sender = message.subject.get(prefix..).and_then(|token| waiting.lock().get(token).cloned());
        if let Some(sender) = sender {
            // Whoever waited may have given up just now.
            let _ = sender.send(message);
        }
    }
    // Those who wait see the end.
    waiting.lock().clear();
}

impl Shared {
    /// Ask one responder of each component that matches; the first answer wins.
    pub(super) async fn ask(&self, app: &str, event: &Event, timeout: Duration) -> Result<Reply, BusError> {
        self.check_open()?;
        check_subject(&event.subject).map_err(|error| BusError::Invalid(error.to_string()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in headers_of_event(event).map_err(|error| BusError::Invalid(error.to_string()))? {
            headers.append(name.as_str(), value.as_str());
        }
        headers.insert(RECEIPTS, "1");
        let requests = &self.requests;
        let limit = requests.limit;
        let _pending = requests.pending.try_acquire().map_err(|_| BusError::TooManyRequests { limit })?;
        let until = hull_clock::now() + timeout.min(TIMEOUT_MAX);
        let mut link = self.link.clone();
        let Some(since) = link::up(&mut link, until).await else {
            return Err(unconnected(app, &self.address));
        };
        headers.insert(WAITS_MS, until.saturating_duration_since(hull_clock::now()).as_millis().to_string());
        self.check_size(&headers, event.payload.len())?;
        let (place, answers) = requests.enter();
        let inbox = format!("{}.{}", requests.inbox, place.token);
        let subject = request_subject(app, &event.subject);
        let answered = async {
            let sent = self.client.publish_with_reply_and_headers(subject, inbox, headers, event.payload.clone()).await;
            sent.map_err(|_| BusError::Closed)?;
            first(answers, &event.subject).await
        };
        tokio::select! {
            biased;
            answered = answered => answered,
            () = link::broken(&mut link, since) => Err(unavailable(app, "the connection to NATS was lost")),
            () = tokio::time::sleep_until(until.into()) => {
                Err(BusError::Timeout { subject: event.subject.clone(), after: timeout })
            }
        }
    }
}

async fn first(mut messages: mpsc::UnboundedReceiver<Message>, subject: &str) -> Result<Reply, BusError> {
    let mut answers = Answers::default();
    let mut all_refused = false;
    loop {
        let message = if all_refused {
            let late = hull_clock::now() + LATE;
            match tokio::time::timeout_at(late.into(), messages.recv()).await {
                Ok(message) => message,
                Err(_) => return Err(answers.failure(subject)),
            }
        } else {
            messages.recv().await
        };
        match answers.hear(message.ok_or(BusError::Closed)?) {
            Said::Answer(reply) => return Ok(reply),
            Said::Nobody => return Err(answers.failure(subject)),
            Said::More { all_refused: refused } => all_refused = refused,
        }
    }
}

impl Answers {
    fn hear(&mut self, message: Message) -> Said {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Said::Nobody;
        }
        let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name));
        let text = |name: &str| header(name).map(|value| value.as_str().to_owned());
        let (kind, responder) = (text(KIND), text(RESPONDER).unwrap_or_default());
        match (kind.as_deref(), text(REFUSAL)) {
            (Some(TAKEN), _) => {
                self.open.insert(responder);
                return Said::More { all_refused: false };
            }
            (Some(GONE), _) => {}
            (_, Some(reason)) => self.refusal = Some(reason),
            _ => return Said::Answer(reply_of(message)),
        }
        self.open.remove(&responder);
        Said::More { all_refused: self.open.is_empty() }
    }

    fn failure(self, subject: &str) -> BusError {
        let subject = subject.to_owned();
        match self.refusal {
            Some(reason) => BusError::Refused { subject, reason },
            None => BusError::NoResponder { subject },
        }
    }
}

fn reply_of(message: Message) -> Reply {
    let is_ours = |name: &str| name.starts_with("hull-") || name.to_ascii_lowercase().starts_with("nats-");
    let headers = pairs(message.headers.as_ref()).into_iter().filter(|(name, _)| !is_ours(name)).collect();
    Reply { headers, payload: message.payload }
}
