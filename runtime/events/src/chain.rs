//! Which chain an event belongs to: its trace, its business process, and how many events led to it.

use std::time::Duration;

use hull_invocation::{
    CORRELATION_HEADER, Cause, ComponentId, Event, HOPS_HEADER, HOPS_MAX, Invocation, Lineage, RequestId, Slot,
    TRACEPARENT_HEADER, TraceContext,
};

/// The invocation of a handler for an event, with a deadline of its own. `None` if the chain is longer than it may be.
pub(crate) fn invocation_for(target: &ComponentId, event: &Event, time: Duration) -> Option<Invocation> {
    // What cannot be read counts as the first of a chain: only the host writes this header into the outbox.
    let hops = event.header(HOPS_HEADER).and_then(|hops| hops.parse().ok()).unwrap_or(0_u16);
    if hops > HOPS_MAX {
        return None;
    }
    let request_id = RequestId::from_bytes(hull_clock::random_bytes());
    let correlation = event.header(CORRELATION_HEADER).and_then(|id| RequestId::parse(id).ok());
    let parent = event.header(TRACEPARENT_HEADER).and_then(TraceContext::parse);
    let span = hull_clock::random_u64();
    Some(Invocation {
        target: target.clone(),
        cause: Cause::Event,
        deadline: hull_clock::now() + time,
        correlation_id: correlation.unwrap_or_else(|| request_id.clone()),
        request_id,
        trace: parent.map_or_else(|| TraceContext::root(hull_clock::random_bytes(), span), |parent| parent.child(span)),
        lineage: Lineage::root(target.clone()),
        hops,
        slot: Slot::default(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_invocation::{ComponentId, Event, EventKey};

    use super::invocation_for;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn event(headers: &[(&str, &str)]) -> Event {
        Event {
            key: EventKey { source: "/shop/orders".into(), id: "1".into() },
            subject: "orders.created".into(),
            time: String::new(),
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            payload: Vec::new().into(),
        }
    }

    #[test]
    fn an_event_continues_its_chain() {
        let target = ComponentId::new("shop", "payments");
        let event = event(&[("traceparent", TRACE), ("x-correlation-id", "c-1"), ("x-hull-hops", "64")]);
        let before = hull_clock::now();
        let invocation = invocation_for(&target, &event, Duration::from_secs(5)).expect("within its bound");
        assert_eq!((invocation.correlation_id.as_str(), invocation.hops), ("c-1", 64));
        assert_eq!(invocation.trace.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(invocation.trace.to_string(), TRACE, "a span of its own");
        assert!(invocation.deadline >= before + Duration::from_secs(5));
    }

    #[test]
    fn a_chain_that_is_too_long_ends() {
        let target = ComponentId::new("shop", "payments");
        assert!(invocation_for(&target, &event(&[("x-hull-hops", "65")]), Duration::ZERO).is_none());
    }

    #[test]
    fn what_is_missing_is_made() {
        let target = ComponentId::new("shop", "payments");
        let event = event(&[("x-correlation-id", "not an id"), ("x-hull-hops", "many")]);
        let invocation = invocation_for(&target, &event, Duration::ZERO).expect("a first of its chain");
        assert_eq!((&invocation.correlation_id, invocation.hops), (&invocation.request_id, 0));
    }
}
