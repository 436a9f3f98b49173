//! What may go out, up to each bound and beyond it.

use std::sync::Arc;
use std::time::Duration;

use hull_invocation::{
    Cause, ComponentId, CountRejected, HOPS_MAX, Invocation, Lineage, RequestId, Resource, Slot, TraceContext,
};

use parking_lot::Mutex;

use super::{checked_time, event_of};
use crate::bindings::hull::messaging::types::{Error, Message};
use crate::policy::{MessageRate, MessagingPolicy};

#[derive(Default)]
struct Counted(Mutex<Vec<Resource>>);

impl CountRejected for Counted {
    fn rejected(&self, resource: Resource) {
        self.0.lock().push(resource);
    }
}

impl Counted {
    fn take(&self) -> Vec<Resource> {
        std::mem::take(&mut *self.0.lock())
    }
}

fn policy() -> MessagingPolicy {
    counted_policy().0
}

fn counted_policy() -> (MessagingPolicy, Arc<Counted>) {
    let counted = Arc::new(Counted::default());
    let rate = "3/h".parse().expect("a rate");
    let policy = MessagingPolicy {
        component: ComponentId::new("shop", "orders"),
        publishes: vec!["orders.*".parse().expect("a pattern")],
        schemas: None,
        event_bytes_max: 10,
        rate: Arc::new(MessageRate::new(rate)),
        rejected: Arc::clone(&counted) as Arc<dyn CountRejected>,
    };
    (policy, counted)
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
fn what_is_used_of_the_rate_is_told_in_its_unit() {
    let (policy, counted) = counted_policy();
    assert!(policy.rate.used_per_second().abs() < f64::EPSILON);
    for used in 1..=3 {
        event_of(&policy, &caller(0), message("orders.created")).expect("within the rate");
        // A third of an hour gives the next one: none of them comes back meanwhile.
        assert!((policy.rate.used_per_second() - f64::from(used) / 3600.0).abs() < f64::EPSILON);
    }
    assert_eq!(counted.take(), []);
    event_of(&policy, &caller(0), message("orders.created")).expect_err("the rate is used up");
    assert!((policy.rate.used_per_second() - 3.0 / 3600.0).abs() < f64::EPSILON);
    assert_eq!(counted.take(), [Resource::MessageRate]);
}

#[test]
fn chains_end() {
    let (policy, counted) = counted_policy();
    let event = event_of(&policy, &caller(HOPS_MAX - 1), message("orders.created")).expect("the last one");
    assert!(event.headers.contains(&("x-hull-hops".to_owned(), HOPS_MAX.to_string())));
    assert_eq!(counted.take(), []);
    for hops in [HOPS_MAX, u16::MAX] {
        assert!(matches!(event_of(&policy, &caller(hops), message("orders.created")), Err(Error::Denied(_))));
        assert_eq!(counted.take(), [Resource::CallDepth]);
    }
}

#[test]
fn payload_and_headers_have_one_bound() {
    let (policy, counted) = counted_policy();
    let of = |payload: usize, name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let message = Message { payload: vec![0; payload], headers, ..message("orders.created") };
        event_of(&policy, &caller(0), message)
    };
    // The host's own headers are larger than all of it.
    of(5, "kind", "x").expect("5 + 4 + 1 bytes");
    assert_eq!(counted.take(), []);
    for (payload, value) in [(6, "x"), (5, "xy"), (0, "longer than ten")] {
        assert!(matches!(of(payload, "kind", value), Err(Error::TooLarge(10))));
        assert_eq!(counted.take(), [Resource::MessageSize]);
    }
}

#[test]
fn payloads_ids_and_headers_are_bounded() {
    let large = Message { payload: vec![0; 11], ..message("orders.created") };
    assert!(matches!(event_of(&policy(), &caller(0), large), Err(Error::TooLarge(10))));
    let unnamed = Message { id: Some(String::new()), ..message("orders.created") };
    assert!(matches!(event_of(&policy(), &caller(0), unnamed), Err(Error::Invalid(_))));
    let roomy = MessagingPolicy { event_bytes_max: 100, ..policy() };
    for name in ["ce-source", "Traceparent", "x-hull-hops", "nats-msg-id", "a b", ""] {
        let headers = vec![(name.to_owned(), "x".to_owned())];
        let spoofed = Message { headers, ..message("orders.created") };
        assert!(matches!(event_of(&roomy, &caller(0), spoofed), Err(Error::Invalid(_))), "{name:?}");
    }
}

#[test]
fn later_is_within_bounds_and_the_past_is_now() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let now_ms = 1_800_000_000_000;
    let checked = |at_ms| checked_time(Some(at_ms), now_ms);
    for past in [0, now_ms - 1, now_ms] {
        assert!(matches!(checked(past), Ok(None)), "{past}");
    }
    for later in [now_ms + 1, now_ms + 30 * DAY_MS] {
        assert!(matches!(checked(later), Ok(Some(at_ms)) if at_ms == later), "{later}");
    }
    for never in [now_ms + 30 * DAY_MS + 1, u64::MAX] {
        assert!(matches!(checked(never), Err(Error::Invalid(text)) if text.contains("30 days")), "{never}");
    }
    assert!(matches!(checked_time(None, now_ms), Ok(None)));
}

#[test]
fn what_lies_too_far_ahead_costs_nothing_of_the_rate() {
    let policy = policy();
    for _ in 0..10 {
        let never = Message { deliver_at: Some(u64::MAX), ..message("orders.created") };
        assert!(matches!(event_of(&policy, &caller(0), never), Err(Error::Invalid(_))));
    }
    let soon = hull_clock::unix_ms() + 60_000;
    let later = Message { deliver_at: Some(soon), ..message("orders.created") };
    assert_eq!(event_of(&policy, &caller(0), later).expect("within the rate").deliver_at_ms, Some(soon));
}
