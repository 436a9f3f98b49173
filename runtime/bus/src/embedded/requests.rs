//! Requests of the embedded bus: who answers what, and who waits. All of it in memory, all of it bounded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hull_invocation::{Event, Reply};
use hull_manifest::{SubjectPattern, check_subject};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use crate::bus::Responder;
use crate::error::BusError;
use crate::request::{Answer, Request};

/// How many requests wait before one responder; beyond that it counts as busy.
const WAITING_MAX: usize = 256;

/// Every open responder, and how many requests wait.
pub(super) struct Requests {
    table: Mutex<Vec<Entry>>,
    pending: Semaphore,
    limit: usize,
    closed: AtomicBool,
}

struct Entry {
    app: String,
    component: String,
    pattern: SubjectPattern,
    requests: mpsc::Sender<Request>,
}

/// Longer than anybody waits.
const TIMEOUT_MAX: Duration = Duration::from_hours(24);

type Answered = mpsc::UnboundedSender<Result<Reply, String>>;

impl Requests {
    pub(super) fn new(limit: usize) -> Self {
        let pending = Semaphore::new(limit);
        Self { table: Mutex::new(Vec::new()), pending, limit, closed: AtomicBool::new(false) }
    }

    /// Ask one responder of each component that matches; the first answer wins.
    pub(super) async fn ask(&self, app: &str, event: &Event, timeout: Duration) -> Result<Reply, BusError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(BusError::Closed);
        }
        check_subject(&event.subject).map_err(|error| BusError::Invalid(error.to_string()))?;
        let subject = || event.subject.clone();
        let _place = self.pending.try_acquire().map_err(|_| BusError::TooManyRequests { limit: self.limit })?;
        let (answered, mut answers) = mpsc::unbounded_channel();
        if !self.hand_out(app, event, &answered) {
            return Err(BusError::NoResponder { subject: subject() });
        }
        drop(answered);
        let first = async {
            let mut reason = "the responder is busy".to_owned();
            while let Some(answer) = answers.recv().await {
                match answer {
                    Ok(reply) => return Ok(reply),
                    Err(refusal) => reason = refusal,
                }
            }
            Err(BusError::Refused { subject: subject(), reason })
        };
        let deadline = hull_clock::now() + timeout.min(TIMEOUT_MAX);
        let answer = tokio::time::timeout_at(deadline.into(), first).await;
        answer.unwrap_or_else(|_| Err(BusError::Timeout { subject: subject(), after: timeout }))
    }

    /// False if nobody matches.
    fn hand_out(&self, app: &str, event: &Event, answered: &Answered) -> bool {
        let mut table = self.table.lock();
        table.retain(|entry| !entry.requests.is_closed());
        let mut asked: Vec<String> = Vec::new();
        let mut matched = false;
        let mut served = Vec::new();
        for (place, entry) in table.iter().enumerate() {
            if entry.app != app || !entry.pattern.matches(&event.subject) {
                continue;
            }
            matched = true;
            if asked.contains(&entry.component) {
                continue;
            }
            let waiting = Waiting { answered: Some(answered.clone()) };
            if entry.requests.try_send(Request::new(event.clone(), Box::new(waiting))).is_ok() {
                asked.push(entry.component.clone());
                served.push(place);
            }
        }
        // Whoever got one goes to the back, so that responders of a component take turns.
        for place in served.into_iter().rev() {
            let entry = table.remove(place);
            table.push(entry);
        }
        matched
    }

    pub(super) fn respond(
        &self,
        app: &str,
        component: &str,
        pattern: &SubjectPattern,
    ) -> Result<Box<dyn Responder>, BusError> {
        let (requests, receiver) = mpsc::channel(WAITING_MAX);
        let mut table = self.table.lock();
        if self.closed.load(Ordering::Acquire) {
            return Err(BusError::Closed);
        }
        table.retain(|entry| !entry.requests.is_closed());
        table.push(Entry { app: app.to_owned(), component: component.to_owned(), pattern: pattern.clone(), requests });
        Ok(Box::new(OpenResponder { requests: receiver }))
    }

    /// No more requests; responders see the end.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.table.lock().clear();
    }
}

struct OpenResponder {
    requests: mpsc::Receiver<Request>,
}

#[async_trait]
impl Responder for OpenResponder {
    async fn next(&mut self) -> Result<Request, BusError> {
        loop {
            let request = self.requests.recv().await.ok_or(BusError::Closed)?;
            if request.is_wanted() {
                return Ok(request);
            }
        }
    }
}

struct Waiting {
    answered: Option<Answered>,
}

#[async_trait]
impl Answer for Waiting {
    async fn send(mut self: Box<Self>, answer: Result<Reply, String>) -> Result<(), BusError> {
        if let Some(answered) = self.answered.take() {
            // Whoever asked may have given up.
            let _ = answered.send(answer);
        }
        Ok(())
    }

    fn is_wanted(&self) -> bool {
        self.answered.as_ref().is_some_and(|answered| !answered.is_closed())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(answered) = self.answered.take() {
            let _ = answered.send(Err("the responder went away".to_owned()));
        }
    }
}
