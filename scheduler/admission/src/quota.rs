//! A bound on one component's use of one resource: how often, how much at once, or how many at once. Whoever exceeds
//! it is turned away, or waits in a bounded line. All three are one machine, so that a shell drives each in the same
//! way and a new quota is a line of configuration.
//!
//! What a shell does: [`Quota::on_take`] first. Whoever waits goes at the time that they were told, with
//! [`Quota::on_cancel`]. After each `on_give_back` and `on_cancel`, and when the time of [`Quota::next_at`] has come,
//! it asks [`Quota::on_due`] until there is none, and wakes those.

use std::time::{Duration, Instant};

use crate::token_bucket::TokenBucket;
use crate::wait_queue::{Ticket, WaitQueue};

/// What is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaBound {
    /// So many units in a time, and no more than those at once: messages, bytes of a log.
    Rate {
        /// How many units.
        units_max: u64,
        /// In what time.
        per: Duration,
    },
    /// So many units held at once: bytes of bodies, rows.
    Capacity {
        /// How many units.
        units_max: u64,
    },
    /// So many held at once, however large each is: requests, statements.
    Concurrency {
        /// How many.
        held_max: u32,
    },
}

/// What becomes of those who exceed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaPolicy {
    /// They are turned away.
    Reject,
    /// They wait, if there is a place and their turn can come in time. Not for those who hold some of the same quota
    /// already: they could wait for themselves.
    Throttle {
        /// Waiting at once.
        queue_max: u32,
        /// How long one waits at most.
        queue_wait_max: Duration,
    },
}

/// What happens to somebody who wants some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Take {
    /// It is theirs: [`Quota::on_give_back`] must follow, with the same amount.
    Taken,
    /// They wait until [`Quota::on_due`] names them: then it is theirs. Or until that time: then
    /// [`Quota::on_cancel`] must follow.
    Wait(Ticket, Instant),
    /// Turned away. After that time there is enough of a rate; for others it depends on who holds it.
    Refused(Option<Duration>),
    /// Turned away for good: it is more than the whole quota.
    TooMuch,
}

/// One component's quota of one resource. First come, first served: a small wish does not overtake a large one.
#[derive(Debug)]
pub struct Quota {
    room: Room,
    queue: WaitQueue,
}

#[derive(Debug)]
enum Room {
    Rate { bucket: TokenBucket, units_max: u64 },
    Capacity { held: u64, units_max: u64 },
    Concurrency { held: u64, held_max: u64 },
}

impl Quota {
    /// One of which all is left.
    pub fn new(bound: QuotaBound, policy: QuotaPolicy, now: Instant) -> Self {
        let room = match bound {
            QuotaBound::Rate { units_max, per } => {
                Room::Rate { bucket: TokenBucket::with_period(units_max, per, now), units_max }
            }
            QuotaBound::Capacity { units_max } => Room::Capacity { held: 0, units_max },
            QuotaBound::Concurrency { held_max } => Room::Concurrency { held: 0, held_max: held_max.into() },
        };
        let queue = match policy {
            QuotaPolicy::Reject => WaitQueue::new(0, Duration::ZERO),
            QuotaPolicy::Throttle { queue_max, queue_wait_max } => WaitQueue::new(queue_max, queue_wait_max),
        };
        Self { room, queue }
    }

    /// Somebody wants `amount` units, and would wait until `deadline` at most. A quota of concurrency counts each as
    /// one.
    pub fn on_take(&mut self, now: Instant, deadline: Instant, amount: u64) -> Take {
        let units = self.room.units(amount);
        if units > self.room.units_max() {
            return Take::TooMuch;
        }
        if self.queue.length() == 0 && self.room.take(now, units) {
            return Take::Taken;
        }
        let wait = self.room.wait_for(now, self.queue.units() + u128::from(units));
        // Whose turn on a rate comes too late is told so now, and not after having waited.
        // Each of those before may be let in up to a nanosecond later than it could be.
        let late = Duration::from_nanos(self.queue.length() as u64);
        let turn = now.checked_add(wait.map_or(Duration::ZERO, |wait| wait.saturating_add(late)));
        let place = turn.and_then(|turn| self.queue.push(now, turn, deadline, units));
        place.map_or(Take::Refused(wait), |(ticket, until)| Take::Wait(ticket, until))
    }

    /// Somebody gives back what they took. Of a rate nothing comes back but by time.
    pub fn on_give_back(&mut self, amount: u64) {
        let units = self.room.units(amount);
        match &mut self.room {
            Room::Rate { .. } => {}
            Room::Capacity { held, .. } | Room::Concurrency { held, .. } => *held = held.saturating_sub(units),
        }
    }

    /// Who gets what they waited for. Those whose time is over are passed by and count as gone.
    pub fn on_due(&mut self, now: Instant) -> Option<Ticket> {
        let room = &mut self.room;
        self.queue.admit(now, |units| room.take(now, units))
    }

    /// Somebody who waited gives up. `false`: they had been named by [`Quota::on_due`], so that what they hold has to be
    /// given back, or passed by.
    pub fn on_cancel(&mut self, ticket: Ticket) -> bool {
        self.queue.remove(ticket)
    }

    /// When somebody is due although nobody gives anything back: the next turn on a rate.
    pub fn next_at(&mut self, now: Instant) -> Option<Instant> {
        let wait = self.room.wait_for(now, self.queue.first_units()?.into())?;
        now.checked_add(wait)
    }

    /// Units in use: held now, or taken from a rate and not come in again.
    pub fn used(&mut self, now: Instant) -> u64 {
        match &mut self.room {
            Room::Rate { bucket, units_max } => *units_max - bucket.left(now),
            Room::Capacity { held, .. } | Room::Concurrency { held, .. } => *held,
        }
    }

    /// The most units in use.
    pub fn units_max(&self) -> u64 {
        self.room.units_max()
    }

    /// Waiting now.
    pub fn waiting(&self) -> usize {
        self.queue.length()
    }
}

impl Room {
    fn units(&self, amount: u64) -> u64 {
        match self {
            Self::Rate { .. } | Self::Capacity { .. } => amount,
            Self::Concurrency { .. } => 1,
        }
    }

    fn units_max(&self) -> u64 {
        match self {
            Self::Rate { units_max, .. } | Self::Capacity { units_max, .. } => *units_max,
            Self::Concurrency { held_max, .. } => *held_max,
        }
    }

    /// All of it or nothing.
    fn take(&mut self, now: Instant, units: u64) -> bool {
        match self {
            Self::Rate { bucket, .. } => bucket.on_take_all(now, units).is_ok(),
            Self::Capacity { held, units_max: max } | Self::Concurrency { held, held_max: max } => {
                let fits = units <= *max - *held;
                if fits {
                    *held += units;
                }
                fits
            }
        }
    }

    /// How long it is until so many have come in, if time says it.
    fn wait_for(&mut self, now: Instant, units: u128) -> Option<Duration> {
        match self {
            Self::Rate { bucket, .. } => Some(bucket.wait_for(now, units)),
            Self::Capacity { .. } | Self::Concurrency { .. } => None,
        }
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
