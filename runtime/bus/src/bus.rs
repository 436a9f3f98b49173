//! The contract between Hull and whatever holds its events. It asks for nothing that a JetStream server 2.9 lacks:
//! one filter subject per durable consumer, explicit acks, no bound on deliveries at the server.

use std::time::Duration;

use async_trait::async_trait;
use hull_invocation::{Event, Reply};
use hull_manifest::{Start, SubjectPattern};

use crate::delivery::Delivery;
use crate::error::BusError;
use crate::page::{Page, ReadFrom};
use crate::request::Request;
use crate::status::BusStatus;

/// Where events live: one stream per app.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publish. Returns once the event is as durable as the backend makes it. An event whose (source, id) the
    /// stream still holds is not stored again: with the same content the answer is the earlier sequence, with
    /// other content `IdReused`. An event with an empty id is never a duplicate; it is delivered under the name of
    /// its place in the stream. Dropping the future leaves open whether the event was stored.
    async fn publish(&self, app: &str, event: &Event) -> Result<Published, BusError>;

    /// Publish in order, sharing the cost of durability. The results are those of a prefix of `events`: it ends
    /// with the last event or with the first that failed, and nothing after that one was stored.
    async fn publish_all(&self, app: &str, events: &[Event]) -> Vec<Result<Published, BusError>> {
        let mut results = Vec::with_capacity(events.len());
        for event in events {
            let result = self.publish(app, event).await;
            let failed = result.is_err();
            results.push(result);
            if failed {
                break;
            }
        }
        results
    }

    /// Open a durable consumer, made where it does not exist. It is named by app, component and pattern; opening it
    /// again changes its other settings. Several may be open at once and share its events.
    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError>;

    /// Forget a consumer and its place. Until then it keeps what it has not acknowledged in the stream, whether or
    /// not anybody has it open.
    async fn remove_consumer(&self, app: &str, component: &str, pattern: &SubjectPattern) -> Result<(), BusError>;

    /// Read what the stream holds of these subjects, up to `max` events and [`crate::PAGE_EVENTS_MAX`], without a
    /// consumer: for people who look. It does not wait for events to come, and may stop before `max` or at none at all;
    /// go on at the page's `next`. Of an app without events there is nothing to read.
    async fn read(&self, app: &str, pattern: &SubjectPattern, from: ReadFrom, max: usize) -> Result<Page, BusError>;

    /// Ask whoever answers the event's subject. Nothing is stored: the request is answered now or not at all.
    async fn request(&self, app: &str, event: &Event, timeout: Duration) -> Result<Reply, BusError>;

    /// Answer requests. Of each component one open responder gets a request; the first answer of all wins.
    async fn responder(
        &self,
        app: &str,
        component: &str,
        pattern: &SubjectPattern,
    ) -> Result<Box<dyn Responder>, BusError>;

    /// Have this app's events for this host alone: its data is on no other. `owner` is a name that this host keeps over
    /// restarts and that no other has. Fails with `Owned` if another host has them; while the bus cannot say, whatever
    /// else is asked of it for this app waits for that. Lasts until `release` or
    /// `shutdown`. A bus of one host has nothing to do.
    async fn claim(&self, app: &str, owner: &str) -> Result<(), BusError> {
        let _ = (app, owner);
        Ok(())
    }

    /// Give back what was claimed, so that another host need not wait: nothing of this app is served here.
    async fn release(&self, app: &str) {
        let _ = app;
    }

    /// Delete an app's stream with everything in it, and its consumers. Nobody may have any of them open. What is not
    /// there is no error; an app that was claimed and is another host's is `Owned`.
    async fn remove_stream(&self, app: &str) -> Result<(), BusError>;

    /// What every stream and consumer is doing.
    async fn status(&self) -> BusStatus;

    /// Make everything durable and stop. Whoever waits in `fetch` or `next` gets `Closed`.
    async fn shutdown(&self);
}

/// A durable consumer, open.
#[async_trait]
pub trait Consumer: Send {
    /// Wait for at least one event and take up to `max`, at most as many as `max_in_flight` leaves. Cancelling loses
    /// nothing: what was taken goes back.
    async fn fetch(&mut self, max: usize) -> Result<Vec<Delivery>, BusError>;
}

/// Receives requests.
#[async_trait]
pub trait Responder: Send {
    /// Wait for the next request. Cancelling loses nothing.
    async fn next(&mut self) -> Result<Request, BusError>;
}

/// How a durable consumer is named and how it delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// The app whose stream it reads.
    pub app: String,
    /// The component whose consumer it is.
    pub component: String,
    /// Which subjects.
    pub pattern: SubjectPattern,
    /// How long a delivery may go without ack, nak or in-progress before it is made again.
    pub ack_wait: Duration,
    /// One event at a time, in order; one that is not acknowledged holds those behind it.
    pub ordered: bool,
    /// Where it begins, if it is new.
    pub start: Start,
    /// How many events may be out without an acknowledgement, those that wait for their nak's delay among them.
    pub max_in_flight: usize,
}

/// The stream holds the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its place in the app's stream, from 1.
    pub sequence: u64,
    /// It was there before this publish.
    pub duplicate: bool,
}
