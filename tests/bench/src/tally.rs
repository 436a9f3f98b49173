//! What came of many requests, by what the answer means: served, turned away, failed, or none at all.

use std::time::Duration;

use crate::histogram::Histogram;

/// Requests that were counted, and their latencies.
#[derive(Clone)]
pub(crate) struct Tally {
    /// How long they were counted.
    pub(crate) measured: Duration,
    /// How many were sent.
    pub(crate) sent: u64,
    /// Answers with 200 to 299, from when the request was due to the last byte.
    pub(crate) served: Histogram,
    /// 429 and 503, likewise.
    pub(crate) shed: Histogram,
    /// Any other answer.
    pub(crate) failed: u64,
    /// Requests whose connection broke, or that were not answered in time.
    pub(crate) broken: u64,
    /// Requests that were due and never sent, because every connection was taken until the end.
    pub(crate) unsent: u64,
    /// What the first one that was not served met.
    pub(crate) first_failure: Option<String>,
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn new(measured: Duration) -> Self {
        let (served, shed) = (Histogram::new(), Histogram::new());
        Self { measured, sent: 0, served, shed, failed: 0, broken: 0, unsent: 0, first_failure: None }
    }

    /// Count an answer.
    pub(crate) fn answered(&mut self, status: u16, latency: Duration) {
        match status {
            200..=299 => self.served.record(latency),
            429 | 503 => self.shed.record(latency),
            _ => self.failed += 1,
        }
        if !(200..=299).contains(&status) {
            self.note(|| format!("status {status}"));
        }
    }

    /// Count a request without an answer.
    pub(crate) fn broke(&mut self, why: &str) {
        self.broken += 1;
        self.note(|| why.to_owned());
    }

    /// All that a client would call an error.
    pub(crate) fn errors(&self) -> u64 {
        self.shed.total() + self.failed + self.broken + self.unsent
    }

    /// So many of them a second.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.measured.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if self.first_failure.is_none() {
            self.first_failure = Some(what());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Tally;

    #[test]
    fn answers_are_sorted_by_what_they_mean() {
        let mut tally = Tally::new(Duration::from_secs(2));
        for status in [200, 201, 404, 429, 500, 503] {
            tally.answered(status, Duration::from_millis(1));
        }
        tally.broke("gone");
        tally.unsent = 3;
        assert_eq!((tally.served.total(), tally.shed.total(), tally.failed, tally.broken), (2, 2, 2, 1));
        assert_eq!(tally.errors(), 8);
        assert_eq!(tally.first_failure.as_deref(), Some("status 404"));
        assert!((tally.per_second(tally.served.total()) - 1.0).abs() < f64::EPSILON);
    }
}
