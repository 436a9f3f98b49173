//! Where the door's counts and the guests' words go: into telemetry. The ports are the others'; this joins them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hull_admission::TokenBucket;
use hull_dispatch::Observer;
use hull_invocation::{Cause, CountRejected, Failure, Resource};
use hull_logging::{LogRecord, LogSink};
use hull_manifest::ByteRate;
use hull_telemetry::{ComponentLog, ComponentMetrics, Level, LogIds, LogSource};
use parking_lot::Mutex;

/// Counts one component's invocations.
pub(crate) struct Counting(pub(crate) Arc<ComponentMetrics>);

impl Observer for Counting {
    fn admitted(&self) {
        self.0.invocation_started();
    }

    fn ended(&self, cause: Cause, outcome: Result<(), &Failure>) {
        self.0.invocation_ended(cause, outcome);
    }

    fn refused(&self, cause: Cause, failure: &Failure) {
        self.0.invocation_counted(cause, Err(failure));
    }
}

impl CountRejected for Counting {
    fn rejected(&self, resource: Resource) {
        self.0.rejected(resource);
    }
}

/// What a line takes of the rate beside its text: its ids are written as well.
const LINE_BYTES: u64 = 128;

/// Keeps what one component's guests say, at the rate that they may say it.
pub(crate) struct Keeping {
    log: Arc<ComponentLog>,
    metrics: Arc<ComponentMetrics>,
    budget: Mutex<Budget>,
}

/// The rate, spent line by line.
struct Budget {
    rate: ByteRate,
    bucket: TokenBucket,
    /// Bytes dropped since a line was last kept whole.
    dropped_bytes: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
struct Allowed<'a> {
    /// As much of it as there is room for, if there is any.
    kept: Option<&'a str>,
    /// What was dropped of it.
    dropped_bytes: u64,
    /// What was dropped of those before; told once, with the first line that is whole again.
    dropped_before: u64,
}

impl Budget {
    fn on_line<'a>(&mut self, now: Instant, line: &'a str) -> Allowed<'a> {
        let taken = self.bucket.on_take(now, LINE_BYTES + line.len() as u64);
        let kept = taken.checked_sub(LINE_BYTES).map(|bytes| {
            let most = usize::try_from(bytes).unwrap_or(usize::MAX);
            line.get(..line.floor_char_boundary(most)).unwrap_or(line)
        });
        let kept = kept.filter(|kept| !kept.is_empty() || line.is_empty());
        let dropped_bytes = (line.len() - kept.map_or(0, str::len)) as u64;
        self.dropped_bytes += dropped_bytes;
        let is_whole = dropped_bytes == 0 && kept.is_some();
        let dropped_before = if is_whole { std::mem::take(&mut self.dropped_bytes) } else { 0 };
        Allowed { kept, dropped_bytes, dropped_before }
    }
}

impl Keeping {
    pub(crate) fn new(log: Arc<ComponentLog>, metrics: Arc<ComponentMetrics>, rate: ByteRate) -> Self {
        let bucket = TokenBucket::new(rate.bytes_per_second(), hull_clock::now());
        Self { log, metrics, budget: Mutex::new(Budget { rate, bucket, dropped_bytes: 0 }) }
    }

    /// Another rate, from now on. What is left of the one before stays, as far as there is as much of this one.
    pub(crate) fn set(&self, rate: ByteRate) {
        let mut budget = self.budget.lock();
        budget.bucket.change(rate.bytes_per_second(), Duration::from_secs(1), hull_clock::now());
        budget.rate = rate;
    }

    /// What it has used of what one second gives, in bytes.
    pub(crate) fn used(&self) -> u64 {
        let mut budget = self.budget.lock();
        let left = budget.bucket.left(hull_clock::now());
        budget.rate.bytes_per_second().saturating_sub(left)
    }
}

impl LogSink for Keeping {
    fn log(&self, record: &LogRecord<'_>) {
        let line = match record.context {
            "" => Cow::Borrowed(record.message),
            context => Cow::Owned(format!("{context}: {}", record.message)),
        };
        let allowed = self.budget.lock().on_line(hull_clock::now(), &line);
        self.metrics.log_dropped(allowed.dropped_bytes + record.cut_bytes as u64);
        if allowed.dropped_before > 0 {
            let (dropped, rate) = (allowed.dropped_before, self.budget.lock().rate);
            let told = format!("{dropped} bytes of its log were dropped: limits.logs is \"{rate}\"");
            self.log.write(Level::Warn, LogSource::Host, None, &told);
        }
        let Some(kept) = allowed.kept else { return };
        let scope = record.scope;
        let ids = LogIds {
            request_id: scope.request_id.clone(),
            correlation_id: scope.correlation_id.clone(),
            trace: scope.trace,
        };
        let level = match record.level {
            hull_logging::Level::Trace => Level::Trace,
            hull_logging::Level::Debug => Level::Debug,
            hull_logging::Level::Info => Level::Info,
            hull_logging::Level::Warn => Level::Warn,
            hull_logging::Level::Error => Level::Error,
            hull_logging::Level::Critical => Level::Critical,
        };
        let source = match record.source {
            hull_logging::Source::Logging => LogSource::Logging,
            hull_logging::Source::Stdout => LogSource::Stdout,
            hull_logging::Source::Stderr => LogSource::Stderr,
        };
        self.log.write(level, source, Some(ids), kept);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_admission::TokenBucket;

    use super::{Allowed, Budget};

    #[test]
    fn what_exceeds_the_rate_is_cut_and_counted() {
        let start = hull_clock::now();
        let mut budget =
            Budget { rate: "300B/s".parse().expect("a rate"), bucket: TokenBucket::new(300, start), dropped_bytes: 0 };
        let whole = Allowed { kept: Some("hundred"), dropped_bytes: 0, dropped_before: 0 };
        assert_eq!(budget.on_line(start, "hundred"), whole);
        let rest = "é".repeat(100);
        let cut = Allowed { kept: rest.get(..36), dropped_bytes: 164, dropped_before: 0 };
        assert_eq!(budget.on_line(start, &rest), cut);
        let dropped = Allowed { kept: None, dropped_bytes: 1, dropped_before: 0 };
        assert_eq!(budget.on_line(start, "z"), dropped);
        let later = start + Duration::from_secs(1);
        assert_eq!(budget.on_line(later, ""), Allowed { kept: Some(""), dropped_bytes: 0, dropped_before: 165 });
        assert_eq!(budget.on_line(later, ""), Allowed { kept: Some(""), dropped_bytes: 0, dropped_before: 0 });
    }
}
