//! What a stream may drop: events that every durable consumer has acknowledged and that are older than `retain`.
//! JetStream has no such policy, so it is computed here and purged; several hosts may do so at once.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Info};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use futures::TryStreamExt;

use super::failure::unavailable;
use crate::error::BusError;

/// The first message of interest at or after a place.
pub(super) struct Found {
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
}

/// Drop what may go; how many events.
pub(super) async fn make_room(app: &str, stream: &Stream, retain: Duration) -> Result<u64, BusError> {
    let before_ms = hull_clock::unix_ms().saturating_sub(retain.as_millis() as u64);
    let info = stream.get_info().await.map_err(|error| unavailable(app, error))?;
    let state = &info.state;
    if state.messages == 0 || unix_ms(state.first_timestamp) > before_ms {
        return Ok(0);
    }
    let mut settled = state.last_sequence;
    for consumer in consumers(app, stream).await? {
        if consumer.config.durable_name.is_some() && consumer.config.ack_policy != AckPolicy::None {
            settled = settled.min(settled_by(app, stream, &consumer, settled).await?);
        }
    }
    let last = if unix_ms(state.last_timestamp) <= before_ms {
        settled
    } else {
        last_before(app, stream, state.first_sequence, settled, before_ms).await?
    };
    if last < state.first_sequence {
        return Ok(0);
    }
    let purged = stream.purge().sequence(last + 1).await.map_err(|error| unavailable(app, error))?;
    Ok(purged.purged)
}

/// Every consumer of a stream, Hull's or not.
pub(super) async fn consumers(app: &str, stream: &Stream) -> Result<Vec<Info>, BusError> {
    stream.consumers().try_collect().await.map_err(|error| unavailable(app, format!("listing its consumers: {error}")))
}

/// Up to where a consumer needs nothing any more, `last` at the most. Its own floor stays behind where others'
/// subjects follow, so what counts is the next event that is its own.
async fn settled_by(app: &str, stream: &Stream, consumer: &Info, last: u64) -> Result<u64, BusError> {
    let floor = consumer.ack_floor.stream_sequence;
    if floor >= last {
        return Ok(last);
    }
    Ok(match next(app, stream, &consumer.config.filter_subject, floor + 1).await? {
        Some(found) => last.min(found.sequence - 1),
        None => last,
    })
}

/// The last event up to `end` that is as old as that; `begin - 1` if none is.
async fn last_before(app: &str, stream: &Stream, begin: u64, end: u64, before_ms: u64) -> Result<u64, BusError> {
    // All before `low` are old enough, all from `high` on are not.
    let (mut low, mut high) = (begin, end + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match next(app, stream, "", middle).await? {
            Some(found) if found.sequence < high && found.time_ms <= before_ms => low = found.sequence + 1,
            _ => high = middle,
        }
    }
    Ok(low - 1)
}

/// The first message of a subject at or after this place.
pub(super) async fn next(app: &str, stream: &Stream, filter: &str, from: u64) -> Result<Option<Found>, BusError> {
    let filter = if filter.is_empty() { ">" } else { filter };
    match stream.get_first_raw_message_by_subject(filter, from).await {
        Ok(message) => Ok(Some(Found { sequence: message.sequence, time_ms: unix_ms(message.time) })),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unavailable(app, format!("reading its stream: {error}"))),
    }
}

pub(super) fn unix_ms(time: async_nats::datetime::DateTime) -> u64 {
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}
