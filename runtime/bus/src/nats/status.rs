//! What the server says of streams and consumers. Asked for each time: it is the server that counts for all hosts.

use std::time::Duration;

use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::stream::Stream;
use futures::future::join_all;

use super::failure::unavailable;
use super::{Shared, durable, retention};
use crate::error::BusError;
use crate::names::stream_subject;
use crate::status::{BusStatus, ConsumerStatus, StreamStatus};

/// A status is for people and metrics that do not wait: what is not known by then is a problem.
const STATUS_TIME: Duration = Duration::from_millis(600);

impl Shared {
    /// Every stream in use and its consumers.
    pub(super) async fn status(&self) -> BusStatus {
        let problem = if *self.closed.borrow() {
            Some(BusError::Closed.to_string())
        } else if self.link.borrow().is_up {
            None
        } else {
            Some(format!("there is no connection to NATS at {}", self.address))
        };
        if problem.is_some() {
            return BusStatus { problem, ..BusStatus::default() };
        }
        let until = hull_clock::now() + STATUS_TIME;
        let streams = self.streams.all();
        let asking = async { join_all(streams.iter().map(|(app, stream)| self.ask_status(app, stream))).await };
        let Ok(told) = tokio::time::timeout_at(until.into(), asking).await else {
            return BusStatus { problem: Some("NATS does not answer in time".to_owned()), ..BusStatus::default() };
        };
        let mut status = BusStatus::default();
        for one in told {
            match one {
                Ok((stream, consumers)) => {
                    status.streams.push(stream);
                    status.consumers.extend(consumers);
                }
                // Nothing is wrong with the stream as far as anybody knows: it could not be asked.
                Err(error) => status.problem = Some(error.to_string()),
            }
        }
        status
    }

    async fn ask_status(&self, app: &str, stream: &Stream) -> Result<(StreamStatus, Vec<ConsumerStatus>), BusError> {
        let info = stream.get_info().await.map_err(|error| unavailable(app, error))?;
        let status = StreamStatus {
            app: app.to_owned(),
            events: info.state.messages,
            bytes: info.state.bytes,
            bytes_max: u64::try_from(info.config.max_bytes).unwrap_or_default(),
            last_sequence: info.state.last_sequence,
            problem: None,
        };
        let consumers = retention::consumers(app, stream).await?;
        let durable = consumers.iter().filter(|consumer| consumer.config.durable_name.is_some());
        let told = join_all(durable.map(|consumer| self.consumer_status(app, stream, consumer))).await;
        let mut consumers = told.into_iter().collect::<Result<Vec<_>, _>>()?;
        consumers.sort_by(|one, other| (&one.component, &one.pattern).cmp(&(&other.component, &other.pattern)));
        Ok((status, consumers))
    }

    async fn consumer_status(&self, app: &str, stream: &Stream, info: &Info) -> Result<ConsumerStatus, BusError> {
        let filter = &info.config.filter_subject;
        let (backlog, in_flight) = (info.num_pending, info.num_ack_pending as u64);
        let lag = if backlog + in_flight == 0 {
            Duration::ZERO
        } else {
            let oldest = retention::next(app, stream, filter, info.ack_floor.stream_sequence + 1).await?;
            let age = |time_ms| Duration::from_millis(hull_clock::unix_ms().saturating_sub(time_ms));
            oldest.map_or(Duration::ZERO, |oldest| age(oldest.time_ms))
        };
        let own = self.durables.lock().get(&(app.to_owned(), info.name.clone())).cloned();
        let named = durable::owner(info.config.description.as_deref())
            .map(|(component, pattern)| (component.to_owned(), pattern.to_owned()));
        let (component, pattern) = named.unwrap_or_else(|| {
            // Somebody else's: it keeps events too, so it is shown, under a name that no component has.
            let prefix = stream_subject(app, "");
            let pattern = filter.strip_prefix(prefix.as_str()).unwrap_or(">").to_owned();
            (format!("nats:{}", info.name), pattern)
        });
        Ok(ConsumerStatus {
            app: app.to_owned(),
            component,
            pattern,
            open: own.as_ref().map_or(0, |own| own.open_count()),
            backlog,
            in_flight,
            redelivered: own.as_ref().map_or(0, |own| own.redelivered_count()),
            lag,
        })
    }
}
