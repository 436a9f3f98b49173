//! Where the door's counts and the guests' words go: into telemetry. The ports are the others'; this joins them.

use std::sync::Arc;

use hull_dispatch::Observer;
use hull_invocation::{Cause, Failure};
use hull_logging::{LogRecord, LogSink};
use hull_telemetry::{ComponentLog, ComponentMetrics, Level, LogIds, LogSource};

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

/// Keeps what one component's guests say.
pub(crate) struct Keeping(pub(crate) Arc<ComponentLog>);

impl LogSink for Keeping {
    fn log(&self, record: &LogRecord<'_>) {
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
        if record.context.is_empty() {
            self.0.write(level, source, Some(ids), record.message);
        } else {
            self.0.write(level, source, Some(ids), &format!("{}: {}", record.context, record.message));
        }
    }
}
