//! The account of what was asked of the server and has not come: pure, so that asking for too much or for nothing
//! is found by a test and not by a backlog.

use std::collections::VecDeque;
use std::time::Instant;

/// Pull requests that the server may still answer, oldest first; it serves them in that order.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    waiting: VecDeque<Pull>,
}

#[derive(Debug)]
struct Pull {
    left: usize,
    until: Instant,
}

impl Pulls {
    /// How many more to ask for, so that `wanted` come.
    pub(super) fn missing(&mut self, now: Instant, wanted: usize) -> usize {
        self.waiting.retain(|pull| pull.until > now && pull.left > 0);
        wanted.saturating_sub(self.waiting.iter().map(|pull| pull.left).sum())
    }

    /// So many were asked for; the server forgets the request at `until`.
    pub(super) fn asked(&mut self, count: usize, until: Instant) {
        self.waiting.push_back(Pull { left: count, until });
    }

    /// A message came.
    pub(super) fn came(&mut self) {
        if let Some(pull) = self.waiting.iter_mut().find(|pull| pull.left > 0) {
            pull.left -= 1;
        }
    }

    /// The server has ended a request: the oldest that is not fulfilled.
    pub(super) fn ended(&mut self) {
        self.came_all();
        self.waiting.pop_front();
    }

    /// Nothing that was asked for will come.
    pub(super) fn lost(&mut self) {
        self.waiting.clear();
    }

    /// When a request is forgotten next.
    pub(super) fn next_until(&self) -> Option<Instant> {
        self.waiting.iter().map(|pull| pull.until).min()
    }

    fn came_all(&mut self) {
        self.waiting.retain(|pull| pull.left > 0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pulls;

    #[test]
    fn no_more_is_asked_for_than_is_wanted() {
        let now = hull_clock::now();
        let until = now + Duration::from_secs(10);
        let mut pulls = Pulls::default();
        assert_eq!(pulls.missing(now, 8), 8);
        pulls.asked(8, until);
        assert_eq!(pulls.missing(now, 8), 0);
        assert_eq!(pulls.missing(now, 1), 0);
        for _ in 0..5 {
            pulls.came();
        }
        assert_eq!(pulls.missing(now, 8), 5);
        pulls.asked(5, until + Duration::from_secs(1));
        pulls.ended();
        assert_eq!(pulls.missing(now, 8), 3, "the older request is over, whatever it still owed");
        assert_eq!(pulls.missing(until, 8), 3);
        assert_eq!(pulls.missing(until + Duration::from_secs(1), 8), 8, "what the server forgets is asked for again");
        pulls.asked(8, until);
        pulls.lost();
        assert_eq!((pulls.missing(now, 8), pulls.next_until()), (8, None));
        pulls.came();
        assert_eq!(pulls.missing(now, 8), 8, "a message of a lost request changes nothing");
    }
}
