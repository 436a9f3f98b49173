//! Where the door's counts and the guests' words go: into telemetry. The ports are the others'; this joins them.

use std::borrow::Cow;
use std::sync::Arc;

use hull_admission::TokenBucket;
use hull_dispatch::Observer;
use hull_invocation::{Cause, Failure};
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

/// What a line takes of the rate beside its text: its ids are written as well.
const LINE_BYTES: u64 = 128;

/// Keeps what one component's guests say, at the rate that they may say it.
pub(crate) struct Keeping {
    log: Arc<ComponentLog>,
    metrics: Arc<ComponentMetrics>,
    rate: ByteRate,
    budget: Mutex<Budget>,
}

struct Budget {
    bucket: TokenBucket,
    /// Bytes dropped since a line was last kept whole.
    dropped_bytes: u64,
}

impl Keeping {
    pub(crate) fn new(log: Arc<ComponentLog>, metrics: Arc<ComponentMetrics>, rate: ByteRate) -> Self {
        let bucket = TokenBucket::new(rate.bytes_per_second(), hull_clock::now());
        Self { log, metrics, rate, budget: Mutex::new(Budget { bucket, dropped_bytes: 0 }) }
    }

    /// As much of a line as the rate allows, if any. What had to be dropped before is told once there is room again.
    fn within_rate<'a>(&self, line: &'a str, cut_bytes: usize) -> Option<&'a str> {
        let (kept, dropped_before) = {
            let mut budget = self.budget.lock();
            let taken = budget.bucket.on_take(hull_clock::now(), LINE_BYTES + line.len() as u64);
            let kept = taken.checked_sub(LINE_BYTES).map(|bytes| {
                let most = usize::try_from(bytes).unwrap_or(usize::MAX);
                line.get(..line.floor_char_boundary(most)).unwrap_or(line)
            });
            let kept = kept.filter(|kept| !kept.is_empty() || line.is_empty());
            let dropped = (line.len() - kept.map_or(0, str::len)) as u64;
            budget.dropped_bytes += dropped;
            self.metrics.log_dropped(dropped + cut_bytes as u64);
            let is_whole = dropped == 0 && kept.is_some();
            (kept, if is_whole { std::mem::take(&mut budget.dropped_bytes) } else { 0 })
        };
        if dropped_before > 0 {
            let rate = self.rate;
            let told = format!("{dropped_before} bytes of its log were dropped: limits.logs is \"{rate}\"");
            self.log.write(Level::Warn, LogSource::Host, None, &told);
        }
        kept
    }
}

impl LogSink for Keeping {
    fn log(&self, record: &LogRecord<'_>) {
        let line = match record.context {
            "" => Cow::Borrowed(record.message),
            context => Cow::Owned(format!("{context}: {}", record.message)),
        };
        let Some(kept) = self.within_rate(&line, record.cut_bytes) else { return };
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
    use std::sync::Arc;

    use hull_invocation::{ComponentId, RequestId, TraceContext};
    use hull_logging::{LogRecord, LogScope, LogSink};
    use hull_telemetry::{Logs, Metrics};

    use super::Keeping;

    /// A rate so low that no time that passes here gives another line.
    #[test]
    fn what_exceeds_the_rate_is_cut_and_counted() {
        let id = ComponentId::new("shop", "orders");
        let metrics = Arc::new(Metrics::new());
        let logs = Logs::new(Arc::clone(&metrics));
        let rate = "300B/s".parse().expect("a rate");
        let keeping = Keeping::new(logs.component(&id), metrics.component(&id), rate);
        let scope = LogScope {
            component: id.clone(),
            request_id: RequestId::from_bytes([1; 16]),
            correlation_id: RequestId::from_bytes([2; 16]),
            trace: TraceContext::root([3; 16], 4),
        };
        let say = |message: &str| {
            let level = hull_logging::Level::Info;
            keeping.log(&LogRecord::new(&scope, level, hull_logging::Source::Stdout, "", message));
        };
        say(&"x".repeat(100));
        say(&"y".repeat(1000));
        say("z");
        let lines: Vec<_> = logs.tail(Some(&id), 10).iter().map(|line| line.message.to_string()).collect();
        assert_eq!(lines, ["x".repeat(100)]);
        let dropped = r#"hull_log_bytes_dropped_total{app="shop",component="orders"} 1001"#;
        assert!(metrics.render().contains(dropped), "{}", metrics.render());
    }
}
