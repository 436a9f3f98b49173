//! The bulkhead, walked at random in the shell that quotas are walked in: it is the same promise with other words.

use std::time::{Duration, Instant};

use super::{Arrival, Bulkhead, BulkheadLimits};
use crate::quota::Take;
use crate::simulated_shell::{Machine, Plan, Shell};
use crate::simulation::{Random, start, walk};
use crate::wait_queue::Ticket;

fn limits(concurrency_max: u32, queue_max: u32, queue_wait_max: Duration) -> BulkheadLimits {
    BulkheadLimits { concurrency_max, queue_max, queue_wait_max }
}

#[test]
fn admits_queues_and_sheds_in_this_order() {
    let now = start();
    let deadline = now + Duration::from_secs(9);
    let mut bulkhead = Bulkhead::new(limits(1, 1, Duration::from_millis(100)));
    assert_eq!(bulkhead.on_arrive(now, deadline), Arrival::Admitted);
    let Arrival::Queued(first, until) = bulkhead.on_arrive(now, deadline) else { panic!("must queue") };
    assert_eq!(until, now + Duration::from_millis(100));
    assert_eq!(bulkhead.on_arrive(now, deadline), Arrival::Shed);
    assert_eq!(bulkhead.on_leave(now), Some(first));
    assert_eq!((bulkhead.inside(), bulkhead.waiting()), (1, 0));
}

#[test]
fn a_deadline_that_has_passed_is_not_queued() {
    let now = start();
    let mut bulkhead = Bulkhead::new(limits(1, 9, Duration::from_millis(100)));
    bulkhead.on_arrive(now, now);
    assert_eq!(bulkhead.on_arrive(now, now), Arrival::Shed);
}

/// Its leaving says at once who is let in; the shell of quotas asks for it.
struct Asked {
    bulkhead: Bulkhead,
    admitted: Option<Ticket>,
}

impl Machine for Asked {
    fn take(&mut self, now: Instant, deadline: Instant, _amount: u64) -> Take {
        match self.bulkhead.on_arrive(now, deadline) {
            Arrival::Admitted => Take::Taken,
            Arrival::Queued(ticket, until) => Take::Wait(ticket, until),
            Arrival::Shed => Take::Refused(None),
        }
    }

    fn give_back(&mut self, now: Instant, _amount: u64) {
        self.admitted = self.bulkhead.on_leave(now);
    }

    fn due(&mut self, _now: Instant) -> Option<Ticket> {
        self.admitted.take()
    }

    fn cancel(&mut self, ticket: Ticket) -> bool {
        self.bulkhead.on_give_up(ticket)
    }

    fn next_at(&mut self, _now: Instant) -> Option<Instant> {
        None
    }

    fn used(&mut self, _now: Instant) -> u64 {
        self.bulkhead.inside().into()
    }

    fn waiting(&self) -> usize {
        self.bulkhead.waiting()
    }
}

#[test]
fn ten_million_steps_lose_no_place_and_starve_nobody() {
    let begin = |random: &mut Random| {
        let plan = Plan {
            units_max: random.between(1, 8),
            period: None,
            counts_holders: true,
            line_max: random.below(6) as usize,
            wait_max: random.below(40),
            tells_on_giving_back: true,
        };
        let limits = limits(plan.units_max as u32, plan.line_max as u32, Duration::from_nanos(plan.wait_max));
        Shell::new(plan, random.below(2) == 0, |_| Asked { bulkhead: Bulkhead::new(limits), admitted: None })
    };
    walk(10_000_000, begin, Shell::step);
}
