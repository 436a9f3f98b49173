//! One thing a guest said, and the port through which it leaves.

use hull_invocation::{ComponentId, RequestId, TraceContext};

/// The longest message that is kept; the rest is cut.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// How important a record is, as `wasi:logging` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The flow of control.
    Trace,
    /// For somebody who debugs.
    Debug,
    /// For somebody who watches.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
    /// The component cannot go on.
    Critical,
}

impl Level {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Which way a guest said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `wasi:logging`.
    Logging,
    /// A line of its standard output.
    Stdout,
    /// A line of its standard error.
    Stderr,
}

impl Source {
    /// Lines have no level of their own.
    pub(crate) fn level(self) -> Level {
        match self {
            Self::Logging | Self::Stdout => Level::Info,
            Self::Stderr => Level::Error,
        }
    }
}

/// The invocation that a record belongs to.
#[derive(Debug, Clone)]
pub struct LogScope {
    /// Which component speaks.
    pub component: ComponentId,
    /// Which request it serves.
    pub request_id: RequestId,
    /// Which business process that belongs to.
    pub correlation_id: RequestId,
    /// Which trace and span.
    pub trace: TraceContext,
}

/// One record.
#[derive(Debug)]
pub struct LogRecord<'a> {
    /// Whose it is.
    pub scope: &'a LogScope,
    /// How important it is.
    pub level: Level,
    /// Which way it came.
    pub source: Source,
    /// The guest's own grouping; empty for standard output and error.
    pub context: &'a str,
    /// The text, cut at a character boundary after [`MESSAGE_BYTES_MAX`] bytes.
    pub message: &'a str,
    /// How many bytes were cut.
    pub cut_bytes: usize,
}

impl<'a> LogRecord<'a> {
    /// A record whose texts are cut to what is kept.
    pub fn new(scope: &'a LogScope, level: Level, source: Source, context: &'a str, message: &'a str) -> Self {
        let context = cut(context, 256);
        let kept = cut(message, MESSAGE_BYTES_MAX);
        Self { scope, level, source, context, message: kept, cut_bytes: message.len() - kept.len() }
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// Where records go. Called on the thread that runs the guest: it must not block.
pub trait LogSink: Send + Sync + 'static {
    /// Take one record.
    fn log(&self, record: &LogRecord<'_>);
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 8), "abc");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
