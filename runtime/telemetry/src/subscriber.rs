//! The host's log: where `tracing` goes, as JSON for machines or in colour for people. Guests' lines go the same
//! way under the target `guest`, so that one stream holds everything.

use std::io::{IsTerminal as _, Write};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::log::{Level, LogLine};
use crate::writer::{self, LogWriter};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Pretty,
}

/// What is logged, and how. `[telemetry]` of `hull.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryConfig {
    /// How lines look.
    pub log_format: LogFormat,
    /// Directives as in `RUST_LOG`: `info`, `info,hull_gateway=debug`, `guest=warn`.
    pub log_filter: String,
    /// Where traces will be sent; kept for the exporter, which does not exist yet.
    pub otlp_endpoint: Option<String>,
    /// The share of traces to be sent, from 0 to 1; kept for the exporter as well.
    pub sample: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log_format: LogFormat::Json, log_filter: "info".to_owned(), otlp_endpoint: None, sample: 1.0 }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives cannot be parsed.
    #[error("the log filter {filter:?} is not valid ({reason}); write it like \"info,hull_gateway=debug\"")]
    Filter {
        /// As given.
        filter: String,
        /// What the parser says.
        reason: String,
    },
    /// No thread for writing.
    #[error("the thread that writes the log cannot be started: {0}")]
    Thread(std::io::Error),
    /// Somebody has set up logging in this process before.
    #[error("logging is set up already in this process")]
    AlreadySet,
}

/// Send everything that is logged in this process to `output`, in the end standard error, for as long as what is
/// returned lives. Once per process. Whoever logs never waits for the output.
pub fn init(config: &TelemetryConfig, output: impl Write + Send + 'static) -> Result<LogWriter, TelemetryError> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .map_err(|error| TelemetryError::Filter { filter: config.log_filter.clone(), reason: error.to_string() })?;
    let (queue, writer) = writer::start(output).map_err(TelemetryError::Thread)?;
    let lines = lines(config.log_format, filter, queue);
    lines.try_init().map_err(|_| TelemetryError::AlreadySet)?;
    Ok(writer)
}

fn lines<W>(format: LogFormat, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_timer(HullTime).with_writer(writer);
    match format {
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_current_span(false).finish()),
        LogFormat::Pretty => Box::new(lines.with_ansi(std::io::stderr().is_terminal()).finish()),
    }
}

/// The clock of every other line of Hull, so that tests and people can compare them.
struct HullTime;

impl FormatTime for HullTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&hull_clock::rfc3339_now())
    }
}

/// Hand a component's line to the host's log.
pub(crate) fn emit(line: &LogLine) {
    // The level of a tracing event is part of its static description: one event per level.
    macro_rules! at {
        ($level:expr) => {{
            if tracing::enabled!(target: "guest", $level) {
                let ids = line.ids.as_ref();
                tracing::event!(
                    target: "guest",
                    $level,
                    app = line.component.app(),
                    component = line.component.component(),
                    source = line.source.as_str(),
                    severity = line.level.as_str(),
                    request_id = ids.map(|ids| ids.request_id.as_str()),
                    correlation_id = ids.map(|ids| ids.correlation_id.as_str()),
                    trace_id = ids.map(|ids| tracing::field::display(ids.trace.trace_id())),
                    "{}",
                    line.message,
                );
            }
        }};
    }
    match line.level {
        Level::Trace => at!(tracing::Level::TRACE),
        Level::Debug => at!(tracing::Level::DEBUG),
        Level::Info => at!(tracing::Level::INFO),
        Level::Warn => at!(tracing::Level::WARN),
        Level::Error | Level::Critical => at!(tracing::Level::ERROR),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use hull_invocation::{ComponentId, RequestId, TraceContext};
    use parking_lot::Mutex;
    use tracing_subscriber::EnvFilter;

    use super::{LogFormat, TelemetryConfig, TelemetryError, init, lines};
    use crate::{Level, LogIds, LogSource, Logs, Metrics};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, filter: &str) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = lines(format, EnvFilter::new(filter), move || writer.clone());
        let id = |text: &str| RequestId::parse(text).expect("an id");
        let trace = TraceContext::root([7; 16], 1);
        let ids = LogIds { request_id: id("r-1"), correlation_id: id("c-1"), trace };
        let log = Logs::new(Arc::new(Metrics::new())).component(&ComponentId::new("shop", "orders"));
        tracing::subscriber::with_default(subscriber, || {
            log.write(Level::Critical, LogSource::Stderr, Some(ids), "it \"burns\"\n");
            log.write(Level::Debug, LogSource::Stdout, None, "detail");
        });
        let bytes = kept.0.lock().clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_guest_line_carries_its_ids() {
        let text = written(LogFormat::Json, "info");
        let line: serde_json::Value = serde_json::from_str(&text).expect("one line of JSON");
        for (field, value) in [
            ("level", "ERROR"),
            ("severity", "critical"),
            ("app", "shop"),
            ("component", "orders"),
            ("source", "stderr"),
            ("request_id", "r-1"),
            ("correlation_id", "c-1"),
            ("trace_id", "07070707070707070707070707070707"),
            ("message", "it \"burns\""),
            ("target", "guest"),
        ] {
            assert_eq!(line[field], value, "{field} in {line}");
        }
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }

    #[test]
    fn lines_for_people_and_filters() {
        let text = written(LogFormat::Pretty, "guest=debug");
        assert!(text.contains("it \"burns\"") && text.contains("detail"), "{text}");
        assert!(written(LogFormat::Pretty, "guest=off").is_empty());
    }

    #[test]
    fn a_filter_that_says_nothing_is_refused() {
        let config = TelemetryConfig { log_filter: "guest=loud=x".to_owned(), ..TelemetryConfig::default() };
        assert!(matches!(init(&config, std::io::sink()), Err(TelemetryError::Filter { .. })));
    }
}
