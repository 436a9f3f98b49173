//! Reading a stream without a consumer: the server is asked for one message after another, so it remembers nothing of
//! who reads. A question costs a round trip; this is for people who look, not for handlers.

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use hull_manifest::SubjectPattern;

use super::Shared;
use super::failure::unavailable;
use super::retention::unix_ms;
use super::settle::pairs;
use crate::cloudevents::{Place, event_of_message};
use crate::error::BusError;
use crate::names::stream_subject;
use crate::page::{PAGE_BYTES_MAX, PAGE_EVENTS_MAX, Page, ReadFrom, StoredEvent};

impl Shared {
    /// See [`crate::Bus::read`].
    pub(super) async fn read(
        &self,
        app: &str,
        pattern: &SubjectPattern,
        from: ReadFrom,
        max: usize,
    ) -> Result<Page, BusError> {
        self.check_open()?;
        self.connected(app).await?;
        let stream = self.stream(app).await?;
        let read = match from {
            ReadFrom::Sequence(sequence) => page(&stream, app, pattern, sequence.max(1), max).await,
            ReadFrom::End => end(&stream, app).await,
        };
        if read.is_err() {
            // The stream may have been deleted.
            self.streams.forget(app);
        }
        read
    }
}

async fn end(stream: &Stream, app: &str) -> Result<Page, BusError> {
    let info = stream.get_info().await.map_err(|error| unavailable(app, format!("looking at its stream: {error}")))?;
    Ok(Page { events: Vec::new(), next: info.state.last_sequence.saturating_add(1), is_last: true })
}

async fn page(stream: &Stream, app: &str, pattern: &SubjectPattern, begin: u64, max: usize) -> Result<Page, BusError> {
    let subjects = stream_subject(app, pattern.as_str());
    let mut page = Page { events: Vec::new(), next: begin, is_last: false };
    let mut bytes = 0;
    while page.events.len() < max.clamp(1, PAGE_EVENTS_MAX) {
        let message = match stream.get_first_raw_message_by_subject(&subjects, page.next).await {
            Ok(message) => message,
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                page.is_last = true;
                break;
            }
            Err(error) => return Err(unavailable(app, format!("reading its stream: {error}"))),
        };
        bytes += message.payload.len();
        if bytes > PAGE_BYTES_MAX && !page.events.is_empty() {
            break;
        }
        page.next = message.sequence.saturating_add(1);
        let place = Place { sequence: message.sequence, time_ms: unix_ms(message.time) };
        let Some(subject) = message.subject.strip_prefix(stream_subject(app, "").as_str()) else { continue };
        let headers = pairs(Some(&message.headers));
        let event = event_of_message(app, subject, headers, message.payload.clone(), place);
        page.events.push(StoredEvent { sequence: place.sequence, published_ms: place.time_ms, event });
    }
    Ok(page)
}
