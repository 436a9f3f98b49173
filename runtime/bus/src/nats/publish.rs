//! Publishing: one event after the other, each sent until the stream holds it or the time is up. What is sent twice
//! carries the same id, and the server stores it once.
//!
//! Why not many at once: the second of two would be stored though the first was refused or went down with the
//! connection, and a component's events would change their order.

use std::error::Error as _;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use hull_invocation::Event;
use hull_manifest::check_subject;
use sha2::{Digest, Sha256};

use super::Shared;
use super::failure::{NotStored, not_stored, unavailable, unconnected};
use super::shares::Size;
use super::{link, retention};
use crate::bus::Published;
use crate::cloudevents::headers_of_event;
use crate::error::BusError;
use crate::names::stream_subject;

const MESSAGE_ID: &str = "Nats-Msg-Id";
/// How long to wait before a server is asked again that could not store an event.
const PAUSE: Duration = Duration::from_millis(50);
/// How often room is made and looked for before a stream counts as full: acknowledgements may be on their way.
const ROOM_TRIES: usize = 4;
/// How long they have between two looks.
const ROOM_PAUSE: Duration = Duration::from_millis(25);

/// What the server's file store keeps with a message.
const RECORD_OVERHEAD: usize = 30;

/// An event as it goes out.
struct Outgoing<'a> {
    app: &'a str,
    event: &'a Event,
    subject: String,
    headers: HeaderMap,
}

impl Outgoing<'_> {
    /// What it takes of the stream.
    fn stored_length(&self) -> u64 {
        (self.subject.len() + wire_length(&self.headers) + self.event.payload.len() + RECORD_OVERHEAD) as u64
    }
}

/// What one attempt came to.
enum Attempt {
    Stored(PublishAck),
    /// Send it again after this long.
    Again(Duration, String),
    Failed(BusError),
}

impl Shared {
    /// Publish one event.
    pub(super) async fn publish(&self, app: &str, event: &Event) -> Result<Published, BusError> {
        self.check_open()?;
        let outgoing = self.prepare(app, event)?;
        let until = hull_clock::now() + self.options.publish_time;
        let (mut attempts, mut room_tries) = (0_u32, 0);
        loop {
            attempts += 1;
            let reason = match self.attempt(&outgoing, until, &mut room_tries).await {
                Attempt::Stored(ack) => return self.stored(&outgoing, &ack, attempts).await,
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(pause, reason) => {
                    let again = hull_clock::now() + pause;
                    if again < until {
                        tokio::time::sleep_until(again.into()).await;
                    }
                    reason
                }
            };
            self.check_open()?;
            if hull_clock::now() >= until {
                return Err(unavailable(app, reason));
            }
        }
    }

    fn prepare<'a>(&self, app: &'a str, event: &'a Event) -> Result<Outgoing<'a>, BusError> {
        check_subject(&event.subject).map_err(|error| BusError::Invalid(error.to_string()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in headers_of_event(event).map_err(|error| BusError::Invalid(error.to_string()))? {
            headers.append(name.as_str(), value.as_str());
        }
        headers.insert(MESSAGE_ID, message_id(event));
        self.check_size(&headers, event.payload.len())?;
        Ok(Outgoing { app, event, subject: stream_subject(app, &event.subject), headers })
    }

    /// Whether the server takes a message of this size. What it takes is known from the first connection on.
    pub(super) fn check_size(&self, headers: &HeaderMap, payload: usize) -> Result<(), BusError> {
        let is_known = self.link.borrow().epoch > 0;
        let server_bytes = if is_known { self.client.max_payload() } else { usize::MAX };
        let limit_bytes = self.options.event_bytes_max.min(server_bytes);
        let bytes = payload + wire_length(headers);
        if bytes > limit_bytes {
            return Err(BusError::TooLarge { bytes, limit_bytes });
        }
        Ok(())
    }

    async fn attempt(&self, outgoing: &Outgoing<'_>, until: Instant, room_tries: &mut usize) -> Attempt {
        let mut link = self.link.clone();
        let Some(since) = link::up(&mut link, until).await else {
            return Attempt::Failed(unconnected(outgoing.app, &self.address));
        };
        // A server that gets more than it takes ends the connection.
        if let Err(error) = self.check_size(&outgoing.headers, outgoing.event.payload.len()) {
            return Attempt::Failed(error);
        }
        let owned = self.leases.check(&self.context, outgoing.app).await;
        let stream = match owned.and(self.stream(outgoing.app).await) {
            Ok(stream) => stream,
            Err(error @ BusError::Unavailable { .. }) => return Attempt::Again(PAUSE, error.to_string()),
            Err(error) => return Attempt::Failed(error),
        };
        match self.has_share(outgoing, &stream).await {
            Ok(true) => {}
            Ok(false) => return self.full(outgoing, &stream, "size".to_owned(), room_tries).await,
            Err(error) => return Attempt::Again(PAUSE, error.to_string()),
        }
        let message = PublishMessage::build().headers(outgoing.headers.clone()).payload(outgoing.event.payload.clone());
        let sending = async { self.context.send_publish(outgoing.subject.clone(), message).await?.await };
        let sent = tokio::select! {
            biased;
            sent = sending => sent,
            () = link::broken(&mut link, since) => {
                return Attempt::Again(Duration::ZERO, "the connection to NATS was lost".to_owned());
            }
            () = tokio::time::sleep_until(until.into()) => {
                return Attempt::Again(Duration::ZERO, "NATS does not answer".to_owned());
            }
        };
        match sent {
            Ok(ack) => Attempt::Stored(ack),
            Err(error) => self.not_stored(outgoing, &stream, &error, room_tries).await,
        }
    }

    async fn not_stored(
        &self,
        outgoing: &Outgoing<'_>,
        stream: &Stream,
        error: &PublishError,
        room_tries: &mut usize,
    ) -> Attempt {
        let refusal = error.source().and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
        match (error.kind(), refusal.map(not_stored)) {
            (PublishErrorKind::StreamNotFound, _) => {
                self.streams.forget(outgoing.app);
                Attempt::Again(PAUSE, "its stream does not answer".to_owned())
            }
            (PublishErrorKind::MaxPayloadExceeded, _) | (_, Some(NotStored::TooLarge)) => {
                let bytes = outgoing.event.payload.len() + wire_length(&outgoing.headers);
                let limit_bytes = self.client.max_payload();
                Attempt::Failed(BusError::TooLarge { bytes, limit_bytes })
            }
            (_, Some(NotStored::Full(limit))) => self.full(outgoing, stream, limit, room_tries).await,
            (_, Some(NotStored::Again(reason))) => Attempt::Again(PAUSE, reason),
            (_, None) => Attempt::Again(PAUSE, error.to_string()),
        }
    }

    /// Whether the publisher may hold another event.
    async fn has_share(&self, outgoing: &Outgoing<'_>, stream: &Stream) -> Result<bool, BusError> {
        let is_stale = self.shares.lock().get(outgoing.app).is_none_or(|shares| shares.is_stale(hull_clock::now()));
        if is_stale {
            self.learn_size(outgoing.app, stream).await?;
        }
        let shares = self.shares.lock();
        let publisher = &outgoing.event.key.source;
        Ok(shares.get(outgoing.app).is_none_or(|shares| shares.has_room(publisher, outgoing.stored_length())))
    }

    async fn learn_size(&self, app: &str, stream: &Stream) -> Result<(), BusError> {
        let info = stream.get_info().await.map_err(|error| unavailable(app, error))?;
        let size = Size {
            bytes: info.state.bytes,
            bytes_max: u64::try_from(info.config.max_bytes).ok().filter(|bytes| *bytes > 0),
            first_sequence: info.state.first_sequence,
        };
        self.shares.lock().entry(app.to_owned()).or_default().learn(size, hull_clock::now());
        Ok(())
    }

    /// Make room, and say whether to look again.
    async fn full(&self, outgoing: &Outgoing<'_>, stream: &Stream, limit: String, tries: &mut usize) -> Attempt {
        *tries += 1;
        if *tries > ROOM_TRIES {
            let (app, publisher) = (outgoing.app.to_owned(), outgoing.event.key.source.clone());
            return Attempt::Failed(BusError::Full { app, publisher, limit });
        }
        let made = retention::make_room(outgoing.app, stream, self.options.retain).await;
        match (made, self.learn_size(outgoing.app, stream).await) {
            (Ok(dropped), Ok(())) if dropped > 0 => Attempt::Again(Duration::ZERO, limit),
            (Ok(_), Ok(())) => Attempt::Again(ROOM_PAUSE, limit),
            (Err(error), _) | (_, Err(error)) => Attempt::Again(ROOM_PAUSE, error.to_string()),
        }
    }

    /// The stream holds an event of this id; whether it is this one.
    async fn stored(&self, outgoing: &Outgoing<'_>, ack: &PublishAck, attempts: u32) -> Result<Published, BusError> {
        // What an earlier attempt of this publish has stored is no duplicate.
        let published = Published { sequence: ack.sequence, duplicate: ack.duplicate && attempts == 1 };
        let event = outgoing.event;
        if !ack.duplicate {
            let mut shares = self.shares.lock();
            let shares = shares.entry(outgoing.app.to_owned()).or_default();
            shares.add(&event.key.source, ack.sequence, outgoing.stored_length());
        }
        if !ack.duplicate || event.key.id.is_empty() {
            return Ok(published);
        }
        let stream = self.stream(outgoing.app).await?;
        let earlier = match stream.get_raw_message(ack.sequence).await {
            Ok(earlier) => earlier,
            // Dropped since: everybody who wanted it has had it.
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(published),
            Err(error) => return Err(unavailable(outgoing.app, format!("reading an earlier event: {error}"))),
        };
        if earlier.subject.as_str() == outgoing.subject && earlier.payload == event.payload {
            return Ok(published);
        }
        let (source_name, id) = (event.key.source.clone(), event.key.id.clone());
        Err(BusError::IdReused { source_name, id, sequence: ack.sequence })
    }
}

/// What the server knows an event by: short, for it keeps each in memory. An event without an id gets one for this
/// publish, so that trying again does not double it.
fn message_id(event: &Event) -> String {
    if event.key.id.is_empty() {
        return format!("{:016x}{:016x}", hull_clock::random_u64(), hull_clock::random_u64());
    }
    let mut digest = Sha256::new();
    digest.update((event.key.source.len() as u64).to_le_bytes());
    digest.update(event.key.source.as_bytes());
    digest.update(event.key.id.as_bytes());
    let mut id = String::with_capacity(32);
    id.extend(digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")));
    id
}

/// The bytes of headers in the protocol: a line each, a first and an empty last one.
fn wire_length(headers: &HeaderMap) -> usize {
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let each = |(name, value): (&async_nats::HeaderName, &async_nats::HeaderValue)| {
        AsRef::<str>::as_ref(name).len() + value.as_str().len() + ": \r\n".len()
    };
    "NATS/1.0\r\n\r\n".len() + lines.map(each).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hull_invocation::{Event, EventKey};

    use super::message_id;

    fn event(source: &str, id: &str) -> Event {
        Event {
            key: EventKey { source: source.into(), id: id.into() },
            subject: "a.b".into(),
            time: String::new(),
            headers: Vec::new(),
            payload: Bytes::new(),
        }
    }

    #[test]
    fn ids_are_told_apart_by_source_and_id() {
        assert_eq!(message_id(&event("a", "b")), message_id(&event("a", "b")));
        let ids = [("a", "b"), ("ab", ""), ("", "ab"), ("a", "bc"), ("ab", "c")];
        let mut seen: Vec<_> = ids.iter().map(|(source, id)| message_id(&event(source, id))).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), ids.len());
        assert_ne!(message_id(&event("a", "")), message_id(&event("a", "")), "those without an id are never the same");
    }
}
