//! What an async shell does around a quota or a bulkhead, on a clock of ticks, beside a model that knows nothing but
//! lists and counts every tick. The shell does only what the machine's documentation asks for: so whoever is left
//! waiting although there is room has been forgotten by the machine.

use std::time::{Duration, Instant};

use crate::quota::Take;
use crate::simulation::{Random, start};
use crate::wait_queue::Ticket;

/// The calls of a quota.
pub(crate) trait Machine {
    fn take(&mut self, now: Instant, deadline: Instant, amount: u64) -> Take;
    fn give_back(&mut self, now: Instant, amount: u64);
    fn due(&mut self, now: Instant) -> Option<Ticket>;
    fn cancel(&mut self, ticket: Ticket) -> bool;
    fn next_at(&mut self, now: Instant) -> Option<Instant>;
    fn used(&mut self, now: Instant) -> u64;
    fn waiting(&self) -> usize;
}

/// The bounds of one walk. Times are in ticks, which are nanoseconds to the machine: so rounding shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) units_max: u64,
    /// In which a rate gives `units_max`; none: what is held is bounded.
    pub(crate) period: Option<u64>,
    /// Each counts as one, whatever it wants.
    pub(crate) counts_holders: bool,
    pub(crate) line_max: usize,
    pub(crate) wait_max: u64,
    /// Who is let in is said by giving back, and not asked for.
    pub(crate) tells_on_giving_back: bool,
}

pub(crate) struct Shell<M> {
    machine: M,
    plan: Plan,
    /// Timers ring in their tick. If not, they ring late, so that the machine meets waiters whose time is over.
    is_punctual: bool,
    start: Instant,
    now: u64,
    /// Units that may be taken.
    left: u64,
    /// What has come in of the next unit of a rate, of `period`.
    part: u64,
    taken: u64,
    line: Vec<Waiting>,
    holders: Vec<u64>,
    last_in: Option<Ticket>,
}

struct Waiting {
    ticket: Ticket,
    amount: u64,
    units: u64,
    until: u64,
}

impl<M: Machine> Shell<M> {
    pub(crate) fn new(plan: Plan, is_punctual: bool, machine: impl FnOnce(Instant) -> M) -> Self {
        let start = start();
        Self {
            machine: machine(start),
            plan,
            is_punctual,
            start,
            now: 0,
            left: plan.units_max,
            part: 0,
            taken: 0,
            line: Vec::new(),
            holders: Vec::new(),
            last_in: None,
        }
    }

    pub(crate) fn step(&mut self, random: &mut Random) {
        for _ in 0..random.below(6) {
            self.tick();
            if self.is_punctual || random.below(8) == 0 {
                self.ring();
            }
        }
        match random.below(8) {
            0..=3 => self.arrive(random),
            4 | 5 => self.give_back(random),
            6 => self.cancel(random),
            _ if random.below(64) == 0 => self.empty_and_fill(),
            _ => {}
        }
        self.check();
    }

    fn tick(&mut self) {
        self.now += 1;
        if let Some(period) = self.plan.period {
            (self.left, self.part) = fill(self.left, self.part, self.plan.units_max, period);
            if self.left >= self.plan.units_max {
                (self.left, self.part) = (self.plan.units_max, 0);
            }
        }
    }

    /// Every timer whose time has come.
    fn ring(&mut self) {
        while let Some(place) = self.line.iter().position(|waiting| waiting.until <= self.now) {
            assert!(
                !self.is_punctual || self.plan.period.is_none(),
                "one waited in vain for a rate: it could be known"
            );
            self.leave_line(place);
        }
        let next_at = self.machine.next_at(self.at(self.now));
        if next_at.is_some_and(|next_at| next_at <= self.at(self.now)) {
            self.wake();
        }
    }

    fn arrive(&mut self, random: &mut Random) {
        let amount = random.between(1, self.plan.units_max + 1);
        let deadline = self.now + random.below(60);
        let units = if self.plan.counts_holders { 1 } else { amount };
        let wait = self.turn(self.line.iter().map(|waiting| waiting.units).sum::<u64>() + units);
        let until = deadline.min(self.now + self.plan.wait_max);
        // Each of those before may be late by what is left of a tick.
        let turn = self.now + wait.map_or(0, |wait| wait + self.line.len() as u64);
        let has_place = self.line.len() < self.plan.line_max && until > turn;
        match self.machine.take(self.at(self.now), self.at(deadline), amount) {
            Take::TooMuch => assert!(units > self.plan.units_max, "{units} are not too much"),
            Take::Taken => {
                assert!(self.line.is_empty(), "somebody was overtaken");
                self.hold(amount, units);
            }
            Take::Wait(ticket, told) => {
                assert!(!(self.line.is_empty() && units <= self.left), "there was enough");
                assert!(has_place, "there was no place to wait for {wait:?} until {until} at {}", self.now);
                assert_eq!(told, self.at(until), "until when one waits");
                self.line.push(Waiting { ticket, amount, units, until });
            }
            Take::Refused(told) => {
                assert!(units <= self.plan.units_max, "no time will give {units}");
                assert!(!(self.line.is_empty() && units <= self.left), "there was enough");
                assert!(!has_place, "there was a place to wait");
                assert_eq!(told, wait.map(Duration::from_nanos), "when to come again");
            }
        }
    }

    fn give_back(&mut self, random: &mut Random) {
        if !self.holders.is_empty() {
            let place = random.below(self.holders.len() as u64) as usize;
            self.give_back_of(place);
        }
    }

    fn give_back_of(&mut self, place: usize) {
        let amount = self.holders.swap_remove(place);
        if self.plan.period.is_none() {
            self.left += if self.plan.counts_holders { 1 } else { amount };
        }
        self.machine.give_back(self.at(self.now), amount);
        self.wake();
    }

    fn cancel(&mut self, random: &mut Random) {
        if !self.line.is_empty() {
            let place = random.below(self.line.len() as u64) as usize;
            self.leave_line(place);
        } else if let Some(gone) = self.last_in {
            assert!(!self.machine.cancel(gone), "who is in is not in the line");
        }
    }

    fn leave_line(&mut self, place: usize) {
        let waiting = self.line.remove(place);
        assert!(self.machine.cancel(waiting.ticket), "one was lost from the line");
        assert!(!self.machine.cancel(waiting.ticket), "one was in the line twice");
        if !self.plan.tells_on_giving_back {
            self.wake();
        }
    }

    fn wake(&mut self) {
        loop {
            let expected = self.due();
            assert_eq!(self.machine.due(self.at(self.now)), expected.as_ref().map(|first| first.ticket), "who is due");
            let Some(first) = expected else { return };
            assert!(self.last_in < Some(first.ticket), "somebody was overtaken");
            self.last_in = Some(first.ticket);
            self.hold(first.amount, first.units);
            if self.plan.tells_on_giving_back {
                return;
            }
        }
    }

    fn due(&mut self) -> Option<Waiting> {
        while self.line.first()?.until <= self.now {
            self.line.remove(0);
        }
        let fits = self.line.first()?.units <= self.left;
        fits.then(|| self.line.remove(0))
    }

    fn hold(&mut self, amount: u64, units: u64) {
        assert!(units <= self.left, "{units} were given of {}", self.left);
        self.left -= units;
        self.taken += units;
        self.holders.push(amount);
    }

    /// No slot has been lost: when all have gone, all of it is there again.
    fn empty_and_fill(&mut self) {
        while !self.line.is_empty() {
            self.leave_line(0);
        }
        while !self.holders.is_empty() {
            self.give_back_of(0);
        }
        for _ in 0..self.plan.period.unwrap_or(0) {
            self.tick();
        }
        let now = self.at(self.now);
        assert_eq!((self.machine.used(now), self.machine.waiting()), (0, 0), "something was left behind");
        let (times, amount) =
            if self.plan.counts_holders { (self.plan.units_max, 1) } else { (1, self.plan.units_max) };
        for _ in 0..times {
            assert_eq!(self.machine.take(now, now, amount), Take::Taken, "something was lost");
            self.hold(amount, amount);
        }
        assert!(matches!(self.machine.take(now, now, 1), Take::Refused(_)), "there is more than the bound");
    }

    fn check(&mut self) {
        let now = self.at(self.now);
        assert_eq!(self.machine.waiting(), self.line.len(), "the length of the line");
        assert_eq!(self.machine.used(now), self.plan.units_max - self.left, "what is in use");
        let next_at = self.line.first().map(|first| first.units).and_then(|units| self.turn(units));
        assert_eq!(self.machine.next_at(now), next_at.map(|turn| self.at(self.now + turn)), "the next turn");
        match self.plan.period {
            Some(period) => assert!(
                self.taken * period <= self.plan.units_max * (period + self.now),
                "{} taken by {}, more than the rate and one burst",
                self.taken,
                self.now
            ),
            None if self.plan.counts_holders => assert!(self.holders.len() as u64 <= self.plan.units_max, "too many"),
            None => assert!(self.holders.iter().sum::<u64>() <= self.plan.units_max, "too much"),
        }
        if self.is_punctual {
            assert!(self.line.iter().all(|waiting| waiting.until > self.now), "one waits beyond their time");
            assert!(self.line.first().is_none_or(|first| first.units > self.left), "one waits who could go in");
        }
    }

    /// Ticks until so many have come in.
    fn turn(&self, units: u64) -> Option<u64> {
        let period = self.plan.period?;
        let (mut left, mut part, mut ticks) = (self.left, self.part, 0);
        while left < units {
            (left, part) = fill(left, part, self.plan.units_max, period);
            ticks += 1;
        }
        Some(ticks)
    }

    fn at(&self, tick: u64) -> Instant {
        self.start + Duration::from_nanos(tick)
    }
}

/// What one tick gives.
pub(crate) fn fill(mut left: u64, mut part: u64, units_max: u64, period: u64) -> (u64, u64) {
    part += units_max;
    while part >= period {
        part -= period;
        left += 1;
    }
    (left, part)
}
