//! A bounded line of those who wait, in the order of their coming: the one way of waiting that every bound shares, so
//! that nobody overtakes, nobody waits for ever, and what is in the line can be counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Names somebody who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Debug)]
pub(crate) struct WaitQueue {
    length_max: usize,
    wait_max: Duration,
    /// Sorted by ticket.
    waiting: VecDeque<Waiter>,
    /// What all of them want together; many large wishes are more than their own type holds.
    units: u128,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    until: Instant,
    units: u64,
}

impl WaitQueue {
    pub(crate) fn new(length_max: u32, wait_max: Duration) -> Self {
        Self { length_max: length_max as usize, wait_max, waiting: VecDeque::new(), units: 0, next_ticket: 0 }
    }

    /// Other bounds for those who come from now on.
    pub(crate) fn set_bounds(&mut self, length_max: u32, wait_max: Duration) {
        self.length_max = length_max as usize;
        self.wait_max = wait_max;
    }

    /// Somebody goes to the end of the line, until that time at most. `None`: it is full, or they could not be let in
    /// before `turn`, when they would have gone already.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        turn: Instant,
        deadline: Instant,
        units: u64,
    ) -> Option<(Ticket, Instant)> {
        let until = now.checked_add(self.wait_max).map_or(deadline, |end| end.min(deadline));
        if self.waiting.len() >= self.length_max || until <= turn {
            return None;
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.units += u128::from(units);
        self.waiting.push_back(Waiter { ticket, until, units });
        Some((ticket, until))
    }

    /// Let the first one go in if what they want fits. Those whose time is over are passed by and forgotten.
    pub(crate) fn admit(&mut self, now: Instant, fits: impl FnOnce(u64) -> bool) -> Option<Ticket> {
        while let Some(first) = self.waiting.front() {
            let ticket = first.ticket;
            if first.until > now {
                return (fits(first.units) && self.remove(ticket)).then_some(ticket);
            }
            self.remove(ticket);
        }
        None
    }

    /// Somebody goes away. `false`: they are not in the line any more.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> bool {
        let place = self.waiting.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        let gone = place.ok().and_then(|place| self.waiting.remove(place));
        self.units -= gone.as_ref().map_or(0, |waiter| u128::from(waiter.units));
        gone.is_some()
    }

    /// What the first one wants.
    pub(crate) fn first_units(&self) -> Option<u64> {
        self.waiting.front().map(|first| first.units)
    }

    /// What all of them want together.
    pub(crate) fn units(&self) -> u128 {
        self.units
    }

    pub(crate) fn length(&self) -> usize {
        self.waiting.len()
    }
}
