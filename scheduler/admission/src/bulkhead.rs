//! A compartment: so many inside at once, so many waiting, so long. Whoever finds it full is turned away at once.

use std::time::{Duration, Instant};

use crate::wait_queue::{Ticket, WaitQueue};

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
    queue: WaitQueue,
}

impl Bulkhead {
    /// An empty one.
    pub fn new(limits: BulkheadLimits) -> Self {
        Self { limits, inside: 0, queue: WaitQueue::new(limits.queue_max, limits.queue_wait_max) }
    }

    /// Somebody arrives, who would wait until `deadline` at most.
    pub fn on_arrive(&mut self, now: Instant, deadline: Instant) -> Arrival {
        // Nobody is overtaken: whoever leaves lets the next one in, so that nobody waits while there is room.
        if self.inside < self.limits.concurrency_max {
            self.inside += 1;
            return Arrival::Admitted;
        }
        // When it is their turn is for those inside to say: it may be now.
        let place = self.queue.push(now, now, deadline, 1);
        place.map_or(Arrival::Shed, |(ticket, until)| Arrival::Queued(ticket, until))
    }

    /// Somebody leaves; who is admitted in their place. One whose time is over is passed by and counts as gone.
    pub fn on_leave(&mut self, now: Instant) -> Option<Ticket> {
        self.inside = self.inside.saturating_sub(1);
        self.on_room(now)
    }

    /// Who is let in, if there is room and somebody waits for it: after [`Bulkhead::set_limits`], until nobody is.
    pub fn on_room(&mut self, now: Instant) -> Option<Ticket> {
        let has_room = self.inside < self.limits.concurrency_max;
        let admitted = self.queue.admit(now, |_| has_room)?;
        self.inside += 1;
        Some(admitted)
    }

    /// Other bounds from now on. Whoever is inside or waits stays, also where there are more of them than would be let
    /// in now.
    pub fn set_limits(&mut self, limits: BulkheadLimits) {
        self.limits = limits;
        self.queue.set_bounds(limits.queue_max, limits.queue_wait_max);
    }

    /// Somebody who waited gives up. `false`: they had been admitted or passed by already.
    pub fn on_give_up(&mut self, ticket: Ticket) -> bool {
        self.queue.remove(ticket)
    }

    /// Inside now.
    pub fn inside(&self) -> u32 {
        self.inside
    }

    /// Waiting now.
    pub fn waiting(&self) -> usize {
        self.queue.length()
    }

    /// The bounds.
    pub fn limits(&self) -> BulkheadLimits {
        self.limits
    }
}

#[cfg(test)]
#[path = "bulkhead_tests.rs"]
mod tests;
