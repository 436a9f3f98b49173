//! A compartment: so many inside at once, so many waiting, so long. Whoever finds it full is turned away at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What a bulkhead holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadLimits {
    /// Inside at once.
    pub concurrency_max: u32,
    /// Waiting at once.
    pub queue_max: u32,
    /// How long one waits at most.
    pub queue_wait_max: Duration,
}

/// Names somebody who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What happens to somebody who arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Inside: [`Bulkhead::on_leave`] must follow.
    Admitted,
    /// Waiting until admitted by somebody's leaving, or until that time: then [`Bulkhead::on_give_up`] must follow.
    Queued(Ticket, Instant),
    /// Turned away.
    Shed,
}

/// The compartment. First come, first served: nobody overtakes a queue.
#[derive(Debug)]
pub struct Bulkhead {
    limits: BulkheadLimits,
    inside: u32,
    waiting: VecDeque<Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    until: Instant,
}

impl Bulkhead {
    /// An empty one.
    pub fn new(limits: BulkheadLimits) -> Self {
        Self { limits, inside: 0, waiting: VecDeque::new(), next_ticket: 0 }
    }

    /// Somebody arrives, who would wait until `deadline` at most.
    pub fn on_arrive(&mut self, now: Instant, deadline: Instant) -> Arrival {
        if self.inside < self.limits.concurrency_max && self.waiting.is_empty() {
            self.inside += 1;
            return Arrival::Admitted;
        }
        let until = now.checked_add(self.limits.queue_wait_max).map_or(deadline, |end| end.min(deadline));
        if self.waiting.len() >= self.limits.queue_max as usize || until <= now {
            return Arrival::Shed;
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.push_back(Waiter { ticket, until });
        Arrival::Queued(ticket, until)
    }

    /// Somebody leaves; who is admitted in their place. One whose time is over is passed by and counts as gone.
    pub fn on_leave(&mut self, now: Instant) -> Option<Ticket> {
        self.inside = self.inside.saturating_sub(1);
        while self.inside < self.limits.concurrency_max {
            let waiter = self.waiting.pop_front()?;
            if waiter.until > now {
                self.inside += 1;
                return Some(waiter.ticket);
            }
        }
        None
    }

    /// Somebody who waited gives up. `false`: they had been admitted or passed by already.
    pub fn on_give_up(&mut self, ticket: Ticket) -> bool {
        let place = self.waiting.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        place.is_ok_and(|place| self.waiting.remove(place).is_some())
    }

    /// Inside now.
    pub fn inside(&self) -> u32 {
        self.inside
    }

    /// Waiting now.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The bounds.
    pub fn limits(&self) -> BulkheadLimits {
        self.limits
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
mod tests {
    use std::collections::VecDeque;
    use std::time::{Duration, Instant};

    use super::{Arrival, Bulkhead, BulkheadLimits, Ticket};

    fn limits(concurrency_max: u32, queue_max: u32, wait_ms: u64) -> BulkheadLimits {
        BulkheadLimits { concurrency_max, queue_max, queue_wait_max: Duration::from_millis(wait_ms) }
    }

    #[test]
    fn admits_queues_and_sheds_in_this_order() {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(9);
        let mut bulkhead = Bulkhead::new(limits(1, 1, 100));
        assert_eq!(bulkhead.on_arrive(now, deadline), Arrival::Admitted);
        let Arrival::Queued(first, until) = bulkhead.on_arrive(now, deadline) else { panic!("must queue") };
        assert_eq!(until, now + Duration::from_millis(100));
        assert_eq!(bulkhead.on_arrive(now, deadline), Arrival::Shed);
        assert_eq!(bulkhead.on_leave(now), Some(first));
        assert_eq!((bulkhead.inside(), bulkhead.waiting()), (1, 0));
    }

    #[test]
    fn a_deadline_that_has_passed_is_not_queued() {
        let now = Instant::now();
        let mut bulkhead = Bulkhead::new(limits(1, 9, 100));
        bulkhead.on_arrive(now, now);
        assert_eq!(bulkhead.on_arrive(now, now), Arrival::Shed);
    }

    /// A million steps against a model that knows nothing but a list: never more inside than the bound, nobody
    /// overtaken, no place lost. The seed is printed by the assertion that fails.
    #[test]
    fn a_random_walk_agrees_with_the_model() {
        let seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = seed;
        let mut next = move |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let start = Instant::now();
        let mut bulkhead = Bulkhead::new(limits(3, 5, 50));
        let mut inside = 0_u32;
        let mut waiting: VecDeque<(Ticket, u64)> = VecDeque::new();
        let mut now_ms = 0;
        for step in 0..1_000_000_u32 {
            now_ms += next(10);
            let now = start + Duration::from_millis(now_ms);
            match next(3) {
                0 => match bulkhead.on_arrive(now, now + Duration::from_millis(40)) {
                    Arrival::Admitted => {
                        assert!(waiting.is_empty(), "seed {seed:x} step {step}: overtook");
                        inside += 1;
                    }
                    Arrival::Queued(ticket, _) => waiting.push_back((ticket, now_ms + 40)),
                    Arrival::Shed => assert_eq!(waiting.len(), 5, "seed {seed:x} step {step}"),
                },
                1 if inside > 0 => {
                    inside -= 1;
                    let admitted = bulkhead.on_leave(now);
                    let mut expected = None;
                    while let Some((ticket, until)) = waiting.pop_front() {
                        if until > now_ms {
                            expected = Some(ticket);
                            inside += 1;
                            break;
                        }
                    }
                    assert_eq!(admitted, expected, "seed {seed:x} step {step}");
                }
                2 if !waiting.is_empty() => {
                    let place = next(waiting.len() as u64) as usize;
                    let (ticket, _) = waiting.remove(place).expect("a place");
                    assert!(bulkhead.on_give_up(ticket), "seed {seed:x} step {step}");
                    assert!(!bulkhead.on_give_up(ticket), "seed {seed:x} step {step}");
                }
                _ => {}
            }
            assert!(inside <= 3, "seed {seed:x} step {step}");
            assert_eq!((bulkhead.inside(), bulkhead.waiting()), (inside, waiting.len()), "step {step}");
        }
    }
}
