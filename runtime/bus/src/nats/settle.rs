//! A message of the server as an event in a handler's hands, and the handler's answers as JetStream knows them.
//!
//! Answers are sent and not waited for: one that is lost costs a redelivery, which the handled mark ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, AckKind};
use async_nats::{Client, HeaderMap, Message, Subject};
use async_trait::async_trait;
use parking_lot::Mutex;
use tracing::warn;

use super::durable::Durable;
use super::failure::unavailable;
use super::retention::unix_ms;
use super::tap::Terms;
use crate::cloudevents::{Place, event_of_message};
use crate::delivery::{Delivery, Settle};
use crate::error::BusError;
use crate::names::stream_subject;

/// How long an answer waits to be written while there is no connection.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// The longest that the server is asked to wait with a redelivery.
const DELAY_MAX: Duration = Duration::from_hours(24 * 365);

/// The delivery that a message is; none if it is not one of this stream.
pub(super) fn delivery(terms: &Terms, message: Message, at: Instant) -> Option<Delivery> {
    let durable = Arc::clone(&terms.durable);
    let known = jetstream::Message { message, context: terms.context.clone() };
    let (place, deliveries) = match known.info() {
        Ok(info) => {
            let place = Place { sequence: info.stream_sequence, time_ms: unix_ms(info.published) };
            (place, u32::try_from(info.delivered).unwrap_or(u32::MAX))
        }
        Err(error) => {
            warn!(app = durable.app, %error, "a message that is not of the stream came to a consumer");
            return None;
        }
    };
    let message = known.message;
    let reply = message.reply?;
    let subject = message.subject.strip_prefix(stream_subject(&durable.app, "").as_str())?.to_owned();
    let event = event_of_message(&durable.app, &subject, pairs(message.headers.as_ref()), message.payload, place);
    let until = at + terms.ack_wait;
    durable.hand_out(place.sequence, reply.clone(), until, deliveries);
    let answers = Answers {
        client: terms.client.clone(),
        durable,
        sequence: place.sequence,
        reply,
        ack_wait: terms.ack_wait,
        until: until.into(),
    };
    Some(Delivery::new(event, place.sequence, deliveries, place.time_ms, Box::new(answers)))
}

/// Names and values, in an order that does not depend on chance.
pub(super) fn pairs(headers: Option<&HeaderMap>) -> Vec<(String, String)> {
    let all = headers.into_iter().flat_map(HeaderMap::iter);
    let mut pairs: Vec<_> = all
        .flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.as_str().to_owned())))
        .collect();
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs
}

/// Answers to one delivery.
struct Answers {
    client: Client,
    durable: Arc<Durable>,
    sequence: u64,
    reply: Subject,
    ack_wait: Duration,
    /// When the server gives it to somebody else.
    until: Mutex<Instant>,
}

impl Answers {
    async fn send(&self, kind: AckKind) -> Result<(), BusError> {
        let sending = self.client.publish(self.reply.clone(), kind.into());
        let until = hull_clock::now() + ANSWER_TIME;
        match tokio::time::timeout_at(until.into(), sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(BusError::Closed),
            Err(_) => Err(unavailable(&self.durable.app, "there is no connection to NATS to answer over")),
        }
    }

    fn is_ours(&self) -> bool {
        hull_clock::now() < *self.until.lock()
    }
}

#[async_trait]
impl Settle for Answers {
    async fn ack(&self) -> Result<(), BusError> {
        self.durable.settled(self.sequence, &self.reply);
        self.send(AckKind::Ack).await
    }

    async fn nak(&self, delay: Duration) -> Result<(), BusError> {
        if !self.is_ours() {
            return Ok(());
        }
        self.durable.settled(self.sequence, &self.reply);
        let delay = (!delay.is_zero()).then_some(delay.min(DELAY_MAX));
        self.send(AckKind::Nak(delay)).await
    }

    async fn in_progress(&self) -> Result<(), BusError> {
        if !self.is_ours() {
            return Ok(());
        }
        let until = hull_clock::now() + self.ack_wait;
        self.send(AckKind::Progress).await?;
        *self.until.lock() = until;
        self.durable.hold(self.sequence, until);
        Ok(())
    }
}
