//! From what a guest asks to publish to what goes into the outbox: checked, named, and marked with its chain.

use hull_invocation::{CORRELATION_HEADER, Event, EventKey, HOPS_HEADER, HOPS_MAX, Invocation, TRACEPARENT_HEADER};
use hull_storage::{OutgoingEvent, StorageError};

use crate::bindings::hull::messaging::types::{Error, Message};
use crate::policy::MessagingPolicy;

/// All headers of a message together, in bytes.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 256;

/// Check a message and complete it.
pub(crate) fn event_of(
    policy: &MessagingPolicy,
    caller: &Invocation,
    message: Message,
) -> Result<OutgoingEvent, Error> {
    policy.check_subject(&message.subject)?;
    policy.check_size(message.payload.len())?;
    let hops = caller.hops + 1;
    if hops > HOPS_MAX {
        return Err(Error::Denied(format!("events led to events {HOPS_MAX} times: this chain ends here")));
    }
    let mut headers = checked_headers(message.headers)?;
    headers.push((TRACEPARENT_HEADER.to_owned(), caller.trace.to_string()));
    headers.push((CORRELATION_HEADER.to_owned(), caller.correlation_id.to_string()));
    headers.push((HOPS_HEADER.to_owned(), hops.to_string()));
    let id = match message.id {
        Some(id) => checked_id(id)?,
        None => hull_clock::time_ordered_id().to_string(),
    };
    policy.check_rate()?;
    Ok(OutgoingEvent {
        id,
        subject: message.subject,
        time: hull_clock::rfc3339_now(),
        headers,
        payload: message.payload.into(),
        deliver_at_ms: message.deliver_at,
    })
}

/// An event that does not pass through the outbox, with the source that the relay would give it.
pub(crate) fn identified(policy: &MessagingPolicy, event: OutgoingEvent) -> Event {
    Event {
        key: EventKey { source: policy.source(), id: event.id },
        subject: event.subject,
        time: event.time,
        headers: event.headers,
        payload: event.payload,
    }
}

fn checked_id(id: String) -> Result<String, Error> {
    let fits = !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control);
    fits.then_some(id)
        .ok_or_else(|| Error::Invalid(format!("an id has 1 to {ID_BYTES_MAX} bytes and no control characters")))
}

/// Header names in lower case; those that the host sets are refused.
pub(crate) fn checked_headers(headers: Vec<(String, String)>) -> Result<Vec<(String, String)>, Error> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(Error::Invalid(format!("the headers have {bytes} bytes; {HEADER_BYTES_MAX} is the most")));
    }
    headers.into_iter().map(checked_header).collect()
}

fn checked_header((name, value): (String, String)) -> Result<(String, String), Error> {
    let name = name.to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) || value.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("the header {name:?} cannot be sent")));
    }
    let reserved = name.starts_with("ce-")
        || name.starts_with("nats-")
        || name.starts_with("x-hull-")
        || [TRACEPARENT_HEADER, CORRELATION_HEADER].contains(&name.as_str());
    if reserved {
        return Err(Error::Invalid(format!("the header {name} is set by the host")));
    }
    Ok((name, value))
}

/// What storage and the relay report of a publish, in the interface's words.
pub(crate) fn publish_failure(error: &StorageError) -> Error {
    let text = error.to_string();
    match error {
        StorageError::IdReused { .. } => Error::IdReused(text),
        StorageError::QuotaExceeded { .. } | StorageError::Overloaded { .. } => Error::Full(text),
        StorageError::Denied(_) | StorageError::Refused(_) => Error::Denied(text),
        StorageError::Invalid(_) => Error::Invalid(text),
        StorageError::Timeout(_) => Error::Timeout,
        StorageError::Conflict | StorageError::WouldDeadlock | StorageError::Expired(_) => Error::UnitFailed(text),
        _ => Error::Unavailable(text),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hull_invocation::{
        Cause, ComponentId, CountRejected, HOPS_MAX, Invocation, Lineage, RequestId, Resource, Slot, TraceContext,
    };

    use super::event_of;
    use crate::bindings::hull::messaging::types::{Error, Message};
    use crate::policy::{MessageRate, MessagingPolicy};

    struct Unheard;

    impl CountRejected for Unheard {
        fn rejected(&self, _: Resource) {}
    }

    fn policy() -> MessagingPolicy {
        let rate = "3/h".parse().expect("a rate");
        MessagingPolicy {
            component: ComponentId::new("shop", "orders"),
            publishes: vec!["orders.*".parse().expect("a pattern")],
            payload_bytes_max: 10,
            rate: Arc::new(MessageRate::new(rate)),
            rejected: Arc::new(Unheard),
        }
    }

    fn caller(hops: u16) -> Invocation {
        let target = ComponentId::new("shop", "orders");
        Invocation {
            lineage: Lineage::root(target.clone()),
            target,
            cause: Cause::Http,
            deadline: hull_clock::now() + Duration::from_secs(1),
            request_id: RequestId::from_bytes([1; 16]),
            correlation_id: RequestId::from_bytes([2; 16]),
            trace: TraceContext::root([3; 16], 4),
            hops,
            slot: Slot::default(),
        }
    }

    fn message(subject: &str) -> Message {
        Message { subject: subject.to_owned(), id: None, headers: vec![], payload: vec![], deliver_at: None }
    }

    #[test]
    fn only_what_is_granted_goes_out() {
        assert!(event_of(&policy(), &caller(0), message("orders.created")).is_ok());
        for subject in ["payments.charged", "orders.created.twice"] {
            let refused = event_of(&policy(), &caller(0), message(subject));
            assert!(matches!(refused, Err(Error::Denied(text)) if text.contains("[component.orders.tool.hull]")));
        }
        for subject in ["orders.*", "orders.", "", "orders created"] {
            let refused = event_of(&policy(), &caller(0), message(subject));
            assert!(matches!(refused, Err(Error::Invalid(_))), "{subject:?}");
        }
    }

    #[test]
    fn the_rate_counts_what_could_go_out() {
        let policy = policy();
        let publish = |subject: &str| event_of(&policy, &caller(0), message(subject));
        for _ in 0..10 {
            assert!(matches!(publish("payments.charged"), Err(Error::Denied(_))));
        }
        for _ in 0..3 {
            assert!(publish("orders.created").is_ok());
        }
        let limited = publish("orders.created");
        assert!(matches!(limited, Err(Error::RateLimited(1_000_000..=1_200_001))), "{limited:?}");
    }

    #[test]
    fn chains_end() {
        let event = event_of(&policy(), &caller(HOPS_MAX - 1), message("orders.created")).expect("the last one");
        assert!(event.headers.contains(&("x-hull-hops".to_owned(), HOPS_MAX.to_string())));
        assert!(matches!(event_of(&policy(), &caller(HOPS_MAX), message("orders.created")), Err(Error::Denied(_))));
    }

    #[test]
    fn payloads_ids_and_headers_are_bounded() {
        let large = Message { payload: vec![0; 11], ..message("orders.created") };
        assert!(matches!(event_of(&policy(), &caller(0), large), Err(Error::TooLarge(10))));
        let unnamed = Message { id: Some(String::new()), ..message("orders.created") };
        assert!(matches!(event_of(&policy(), &caller(0), unnamed), Err(Error::Invalid(_))));
        for name in ["ce-source", "Traceparent", "x-hull-hops", "nats-msg-id", "a b", ""] {
            let headers = vec![(name.to_owned(), "x".to_owned())];
            let spoofed = Message { headers, ..message("orders.created") };
            assert!(matches!(event_of(&policy(), &caller(0), spoofed), Err(Error::Invalid(_))), "{name:?}");
        }
    }
}
