//! Quotas of every kind and policy, walked at random beside a model, and the few things that are better said one by one.

use std::time::{Duration, Instant};

use super::{Quota, QuotaBound, QuotaPolicy, Take};
use crate::simulated_shell::{Machine, Plan, Shell};
use crate::simulation::{Random, start, walk};
use crate::wait_queue::Ticket;

const STEPS: u32 = 10_000_000;
const LONG: Duration = Duration::from_mins(1);

impl Machine for Quota {
    fn take(&mut self, now: Instant, deadline: Instant, amount: u64) -> Take {
        self.on_take(now, deadline, amount)
    }

    fn give_back(&mut self, _now: Instant, amount: u64) {
        self.on_give_back(amount);
    }

    fn due(&mut self, now: Instant) -> Option<Ticket> {
        self.on_due(now)
    }

    fn cancel(&mut self, ticket: Ticket) -> bool {
        self.on_cancel(ticket)
    }

    fn next_at(&mut self, now: Instant) -> Option<Instant> {
        self.next_at(now)
    }

    fn used(&mut self, now: Instant) -> u64 {
        self.used(now)
    }

    fn waiting(&self) -> usize {
        self.waiting()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rate,
    Capacity,
    Concurrency,
}

fn begin(kind: Kind, throttles: bool, random: &mut Random) -> Shell<Quota> {
    let plan = Plan {
        units_max: random.between(1, 8),
        period: (kind == Kind::Rate).then(|| random.between(1, 20)),
        counts_holders: kind == Kind::Concurrency,
        line_max: if throttles { random.below(6) as usize } else { 0 },
        wait_max: random.below(40),
        tells_on_giving_back: false,
    };
    let units_max = plan.units_max;
    let bound = match kind {
        Kind::Rate => QuotaBound::Rate { units_max, per: Duration::from_nanos(plan.period.unwrap_or(1)) },
        Kind::Capacity => QuotaBound::Capacity { units_max },
        Kind::Concurrency => QuotaBound::Concurrency { held_max: units_max as u32 },
    };
    let policy = if throttles {
        throttle(plan.line_max as u32, Duration::from_nanos(plan.wait_max))
    } else {
        QuotaPolicy::Reject
    };
    Shell::new(plan, random.below(2) == 0, |now| Quota::new(bound, policy, now))
}

fn throttle(queue_max: u32, queue_wait_max: Duration) -> QuotaPolicy {
    QuotaPolicy::Throttle { queue_max, queue_wait_max }
}

fn walk_quota(kind: Kind, throttles: bool) {
    walk(STEPS, |random| begin(kind, throttles, random), Shell::step);
}

#[test]
fn ten_million_steps_of_a_rate_that_rejects() {
    walk_quota(Kind::Rate, false);
}

#[test]
fn ten_million_steps_of_a_rate_that_throttles() {
    walk_quota(Kind::Rate, true);
}

#[test]
fn ten_million_steps_of_a_capacity_that_rejects() {
    walk_quota(Kind::Capacity, false);
}

#[test]
fn ten_million_steps_of_a_capacity_that_throttles() {
    walk_quota(Kind::Capacity, true);
}

#[test]
fn ten_million_steps_of_a_concurrency_that_rejects() {
    walk_quota(Kind::Concurrency, false);
}

#[test]
fn ten_million_steps_of_a_concurrency_that_throttles() {
    walk_quota(Kind::Concurrency, true);
}

#[test]
fn a_rate_says_when_and_lets_in_then() {
    let now = start();
    let mut quota = Quota::new(QuotaBound::Rate { units_max: 10, per: Duration::from_secs(1) }, throttle(2, LONG), now);
    assert_eq!(quota.on_take(now, now + LONG, 10), Take::Taken);
    let Take::Wait(first, until) = quota.on_take(now, now + LONG, 4) else { panic!("must wait") };
    let Take::Wait(second, _) = quota.on_take(now, now + LONG, 1) else { panic!("must wait") };
    assert_eq!(until, now + LONG);
    assert_eq!(quota.on_take(now, now + LONG, 1), Take::Refused(Some(Duration::from_millis(600))));
    assert_eq!(quota.on_take(now, now + LONG, 11), Take::TooMuch);
    let (before, turn) = (now + Duration::from_nanos(399_999_999), now + Duration::from_millis(400));
    assert_eq!((quota.next_at(now), quota.on_due(before)), (Some(turn), None));
    assert_eq!((quota.on_due(turn), quota.on_due(turn)), (Some(first), None));
    assert_eq!(quota.on_due(now + Duration::from_millis(500)), Some(second));
}

#[test]
fn who_could_only_wait_in_vain_for_a_rate_is_told_at_once() {
    let now = start();
    let rate = QuotaBound::Rate { units_max: 10, per: Duration::from_secs(1) };
    let mut quota = Quota::new(rate, throttle(9, Duration::from_millis(300)), now);
    assert_eq!(quota.on_take(now, now + LONG, 10), Take::Taken);
    assert_eq!(quota.on_take(now, now + LONG, 3), Take::Refused(Some(Duration::from_millis(300))));
    assert!(matches!(quota.on_take(now, now + LONG, 2), Take::Wait(..)));
    assert_eq!(
        quota.on_take(now, now + Duration::from_millis(250), 1),
        Take::Refused(Some(Duration::from_millis(300)))
    );
}

#[test]
fn a_large_wish_at_the_front_is_not_overtaken_by_small_ones() {
    let now = start();
    let mut quota = Quota::new(QuotaBound::Capacity { units_max: 100 }, throttle(9, LONG), now);
    assert_eq!(quota.on_take(now, now + LONG, 60), Take::Taken);
    let Take::Wait(large, _) = quota.on_take(now, now + LONG, 80) else { panic!("must wait") };
    let Take::Wait(small, _) = quota.on_take(now, now + LONG, 10) else { panic!("must wait") };
    assert_eq!((quota.on_due(now), quota.used(now)), (None, 60));
    assert!(quota.on_cancel(large));
    assert_eq!((quota.on_due(now), quota.used(now), quota.waiting()), (Some(small), 70, 0));
    assert!(!quota.on_cancel(small), "it is in, and has to give back");
}

#[test]
fn the_largest_numbers_there_are() {
    let now = start();
    let rate = QuotaBound::Rate { units_max: u64::MAX, per: Duration::MAX };
    let mut quota = Quota::new(rate, throttle(9, Duration::MAX), now);
    assert_eq!(quota.on_take(now, now + LONG, u64::MAX), Take::Taken);
    assert!(matches!(quota.on_take(now, now + LONG, u64::MAX), Take::Refused(Some(_))));
    let mut quota = Quota::new(QuotaBound::Capacity { units_max: u64::MAX }, throttle(9, Duration::MAX), now);
    assert_eq!(quota.on_take(now, now + LONG, u64::MAX), Take::Taken);
    let waits = [(); 3].map(|()| quota.on_take(now, now + LONG, u64::MAX));
    assert!(waits.iter().all(|take| matches!(take, Take::Wait(_, until) if *until == now + LONG)), "{waits:?}");
    quota.on_give_back(u64::MAX);
    assert!(quota.on_due(now).is_some() && quota.on_due(now).is_none());
}
