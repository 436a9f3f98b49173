//! Every outcome and every failure, and what becomes of the event.

use std::num::NonZeroU32;
use std::time::Duration;

use hull_invocation::{ComponentId, EventOutcome, Failure, Reply, Resource};
use hull_manifest::Delivery;

use super::{Case, Done, Verdict, answer, verdict};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn delivery() -> Delivery {
    Delivery { max_deliver: NonZeroU32::new(4).expect("four"), backoff: vec![MS(100), MS(1000)], ..Delivery::default() }
}

fn of(result: Result<EventOutcome, Failure>, attempt: u32) -> Verdict {
    verdict(result, Case { delivery: &delivery(), attempt, deliveries: 1, random: 0 })
}

fn component() -> ComponentId {
    ComponentId::new("shop", "orders")
}

#[test]
fn what_was_handled_is_acknowledged() {
    assert_eq!(of(Ok(EventOutcome::Handled(None)), 1), Verdict::Ack(Done::Handled));
    assert_eq!(of(Ok(EventOutcome::AlreadyHandled), 9), Verdict::Ack(Done::Before));
}

#[test]
fn failures_of_the_handler_count_and_wait_by_the_list() {
    let message = String::new();
    let failures = [
        Ok(EventOutcome::Retry(None)),
        Err(Failure::DeadlineExceeded { component: component(), after: MS(1) }),
        Err(Failure::CpuExceeded { component: component(), limit: MS(1) }),
        Err(Failure::MemoryExceeded { component: component(), limit_bytes: 1 }),
        Err(Failure::Trapped { component: component(), message: message.clone() }),
        Err(Failure::NoResponse { component: component(), message: message.clone() }),
        Err(Failure::Internal(message)),
    ];
    for failure in failures {
        for (attempt, expected) in [(1, MS(100)), (2, MS(1000)), (3, MS(1000))] {
            match of(failure.clone(), attempt) {
                Verdict::Again { delay, failed: Some(_) } => assert_eq!(delay, expected, "{failure:?} {attempt}"),
                other => panic!("{failure:?} {attempt}: {other:?}"),
            }
        }
        let last = of(failure.clone(), 4);
        assert!(matches!(last, Verdict::Dead { attempts: 4, .. }), "{failure:?}: {last:?}");
    }
}

#[test]
fn a_handler_may_choose_its_delay_but_not_more_attempts() {
    let after = |attempt| of(Ok(EventOutcome::Retry(Some(MS(7)))), attempt);
    assert!(matches!(after(1), Verdict::Again { delay, failed: Some(_) } if delay == MS(7)));
    assert!(matches!(after(4), Verdict::Dead { .. }));
    let forever = of(Ok(EventOutcome::Retry(Some(Duration::MAX))), 1);
    assert!(matches!(forever, Verdict::Again { delay, .. } if delay <= Duration::from_hours(1)));
}

#[test]
fn delays_are_stretched_by_a_quarter_at_most() {
    let case = Case { delivery: &delivery(), attempt: 1, deliveries: 1, random: u64::MAX };
    match verdict(Ok(EventOutcome::Retry(None)), case) {
        Verdict::Again { delay, .. } => assert!(delay > MS(120) && delay <= MS(125), "{delay:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_never_tried_does_not_count() {
    let message = String::new();
    let shed = Failure::Shed { component: component(), resource: Resource::Bulkhead, retry_after: MS(300) };
    assert_eq!(of(Err(shed), 4), Verdict::Again { delay: MS(300), failed: None });
    for result in [
        Ok(EventOutcome::Conflict),
        Err(Failure::UnknownComponent(component())),
        Err(Failure::NoHandler { component: component(), handler: "hull:messaging" }),
        Err(Failure::Cancelled),
        Err(Failure::Unavailable { component: component(), message }),
    ] {
        match of(result.clone(), 4) {
            Verdict::Again { delay, failed: None } => assert!(delay > Duration::ZERO && delay < MS(100)),
            other => panic!("{result:?}: {other:?}"),
        }
    }
}

#[test]
fn what_can_never_be_handled_is_buried_at_once() {
    let message = String::new();
    for result in [
        Ok(EventOutcome::Reject("no".into())),
        Err(Failure::BodyTooLarge { component: component(), limit_bytes: 1 }),
        Err(Failure::BadRequest(message.clone())),
        Err(Failure::ChainTooLong { component: component(), message }),
    ] {
        let verdict = of(result.clone(), 1);
        assert!(matches!(verdict, Verdict::Dead { attempts: 1, .. }), "{result:?}: {verdict:?}");
    }
}

#[test]
fn requests_get_the_reply_or_the_reason() {
    assert_eq!(answer(Ok(EventOutcome::Handled(Some(Reply::default())))), Ok(Reply::default()));
    assert_eq!(answer(Ok(EventOutcome::Reject("why".into()))), Err("why".into()));
    for result in [
        Ok(EventOutcome::Handled(None)),
        Ok(EventOutcome::AlreadyHandled),
        Ok(EventOutcome::Retry(None)),
        Ok(EventOutcome::Conflict),
        Err(Failure::Cancelled),
    ] {
        assert!(answer(result).is_err_and(|reason| !reason.is_empty()));
    }
}
