//! Where one consumer stands: what it has settled, what is out, what is to be delivered again and when. Pure: the
//! time comes in, and nothing here knows files, locks or tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::ranges::Ranges;

/// How many sequences one pick looks at, so that a long run of foreign subjects does not hold the lock.
const SCAN_MAX: u64 = 16_384;

/// A consumer's place and its deliveries.
#[derive(Debug)]
pub(super) struct Cursor {
    settled: Ranges,
    /// The first sequence that no pick has looked at.
    next: u64,
    pending: BTreeMap<u64, Pending>,
    /// When each pending event may be delivered again.
    due: BTreeSet<(Instant, u64)>,
    tokens: u64,
    redelivered: u64,
}

#[derive(Debug)]
struct Pending {
    deliveries: u32,
    due: Instant,
    /// Of the delivery that is out; `None` while the event waits for its next.
    token: Option<u64>,
}

/// An event that is to be delivered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picked {
    pub(super) sequence: u64,
    pub(super) deliveries: u32,
    pub(super) token: u64,
}

/// What a pick may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Not more than this.
    pub(super) max: usize,
    /// Not more than this in flight altogether.
    pub(super) in_flight_max: usize,
    /// Nothing after this sequence.
    pub(super) last: u64,
    pub(super) ack_wait: Duration,
}

/// What a pick found.
#[derive(Debug, Default)]
pub(super) struct Pick {
    pub(super) picked: Vec<Picked>,
    /// There may be more to find at once.
    pub(super) more: bool,
}

impl Cursor {
    /// A cursor that has settled these; nothing below `first` exists any more.
    pub(super) fn new(mut settled: Ranges, first: u64) -> Self {
        if first > settled.floor().saturating_add(1) {
            settled.insert(1, first - 1);
        }
        let next = settled.floor() + 1;
        Self { settled, next, pending: BTreeMap::new(), due: BTreeSet::new(), tokens: 0, redelivered: 0 }
    }

    /// Take what is to be delivered now: first what is due again, then what is new and `matches`.
    pub(super) fn pick(&mut self, now: Instant, terms: Terms, matches: impl Fn(u64) -> bool) -> Pick {
        let mut pick = Pick::default();
        let until = now + terms.ack_wait;
        while pick.picked.len() < terms.max
            && let Some((_, sequence)) = self.due.first().copied().filter(|(due, _)| *due <= now)
        {
            pick.picked.push(self.send(sequence, until));
        }
        let scan_end = terms.last.min(self.next.saturating_add(SCAN_MAX));
        while pick.picked.len() < terms.max && self.pending.len() < terms.in_flight_max && self.next <= scan_end {
            let sequence = self.next;
            self.next += 1;
            if self.settled.contains(sequence) || self.pending.contains_key(&sequence) {
                continue;
            }
            if matches(sequence) {
                pick.picked.push(self.send(sequence, until));
            } else {
                self.settled.insert(sequence, sequence);
            }
        }
        pick.more = self.next > scan_end && self.next <= terms.last;
        pick
    }

    fn send(&mut self, sequence: u64, until: Instant) -> Picked {
        self.tokens += 1;
        let token = self.tokens;
        let pending = self.pending.entry(sequence).or_insert(Pending { deliveries: 0, due: until, token: None });
        self.due.remove(&(pending.due, sequence));
        self.due.insert((until, sequence));
        pending.due = until;
        pending.token = Some(token);
        pending.deliveries = pending.deliveries.saturating_add(1);
        self.redelivered += u64::from(pending.deliveries > 1);
        Picked { sequence, deliveries: pending.deliveries, token }
    }

    /// It is handled. True if that was news.
    pub(super) fn ack(&mut self, sequence: u64) -> bool {
        if let Some(pending) = self.pending.remove(&sequence) {
            self.due.remove(&(pending.due, sequence));
        }
        let news = !self.settled.contains(sequence);
        self.settled.insert(sequence, sequence);
        news
    }

    /// Deliver it again at `due`. Nothing happens for a delivery that is not the last one made.
    pub(super) fn nak(&mut self, sequence: u64, token: u64, due: Instant) {
        self.reschedule(sequence, token, due, None);
    }

    /// The delivery goes on until `until`.
    pub(super) fn extend(&mut self, sequence: u64, token: u64, until: Instant) {
        self.reschedule(sequence, token, until, Some(token));
    }

    fn reschedule(&mut self, sequence: u64, token: u64, due: Instant, next_token: Option<u64>) {
        if let Some(pending) = self.pending.get_mut(&sequence).filter(|pending| pending.token == Some(token)) {
            self.due.remove(&(pending.due, sequence));
            self.due.insert((due, sequence));
            pending.due = due;
            pending.token = next_token;
        }
    }

    /// It was picked but never reached anybody: as if it had not been.
    pub(super) fn give_back(&mut self, picked: Picked, now: Instant) {
        let Some(pending) = self.pending.get_mut(&picked.sequence) else { return };
        if pending.token == Some(picked.token) {
            self.redelivered -= u64::from(pending.deliveries > 1);
            pending.deliveries = pending.deliveries.saturating_sub(1);
            self.nak(picked.sequence, picked.token, now);
        }
    }

    /// When something is due again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Everything up to here is settled.
    pub(super) fn floor(&self) -> u64 {
        self.settled.floor()
    }

    /// What has to survive a restart.
    pub(super) fn settled(&self) -> &Ranges {
        &self.settled
    }

    /// The first sequence that was never looked at.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many events are out or wait to go out again.
    pub(super) fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// The lowest sequence that is out or waits to go out again.
    pub(super) fn oldest_pending(&self) -> Option<u64> {
        self.pending.keys().next().copied()
    }

    /// How many deliveries were not the first of their event.
    pub(super) fn redelivered(&self) -> u64 {
        self.redelivered
    }

    /// Settle foreign subjects ahead of anybody asking, so that a consumer that nobody has open keeps only what is
    /// its own. False once there is nothing more to skip.
    pub(super) fn skip(&mut self, last: u64, matches: impl Fn(u64) -> bool) -> bool {
        let scan_end = last.min(self.next.saturating_add(SCAN_MAX));
        let before = self.next;
        while self.next <= scan_end && (self.settled.contains(self.next) || !matches(self.next)) {
            self.settled.insert(self.next, self.next);
            self.next += 1;
        }
        self.next > scan_end && self.next <= last && self.next > before
    }
}

#[cfg(test)]
#[path = "cursor_tests.rs"]
mod tests;
