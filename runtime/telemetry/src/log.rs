//! One line of a log, with the ids by which it is found again.

use std::sync::Arc;

use hull_invocation::{ComponentId, Invocation, RequestId, TraceContext};

/// A line longer than this is cut; the rest is counted as dropped bytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// How grave a line is, in the words of `wasi:logging`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Steps.
    Trace,
    /// For whoever develops the component.
    Debug,
    /// What happened.
    Info,
    /// Something is wrong, and the component goes on.
    Warn,
    /// Something failed.
    Error,
    /// The component cannot go on.
    Critical,
}

impl Level {
    /// The word used in output.
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

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSource {
    /// The guest, through `wasi:logging`.
    Logging,
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// The host, about this component: a trap, a limit.
    Host,
}

impl LogSource {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logging => "logging",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Host => "host",
        }
    }
}

/// The ids of the invocation a line belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIds {
    /// Names the request.
    pub request_id: RequestId,
    /// Names the business process.
    pub correlation_id: RequestId,
    /// Names the trace and the span.
    pub trace: TraceContext,
}

impl From<&Invocation> for LogIds {
    fn from(invocation: &Invocation) -> Self {
        Self {
            request_id: invocation.request_id.clone(),
            correlation_id: invocation.correlation_id.clone(),
            trace: invocation.trace,
        }
    }
}

/// A line as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it stands among all lines of this host; grows, never used twice.
    pub sequence: u64,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// Which component.
    pub component: ComponentId,
    /// How grave.
    pub level: Level,
    /// Who wrote it.
    pub source: LogSource,
    /// Of which invocation; `None` for lines about no single one.
    pub ids: Option<LogIds>,
    /// The text, without its line end.
    pub message: Arc<str>,
}

impl LogLine {
    /// The line as a JSON object, with the same field names as the host's own log.
    pub fn to_json(&self) -> serde_json::Value {
        let mut line = serde_json::json!({
            "timestamp": hull_clock::rfc3339(self.unix_ms),
            "level": self.level.as_str(),
            "app": self.component.app(),
            "component": self.component.component(),
            "source": self.source.as_str(),
            "message": &*self.message,
            "sequence": self.sequence,
        });
        if let (Some(ids), Some(fields)) = (&self.ids, line.as_object_mut()) {
            fields.insert("request_id".into(), ids.request_id.as_str().into());
            fields.insert("correlation_id".into(), ids.correlation_id.as_str().into());
            fields.insert("trace_id".into(), ids.trace.trace_id().to_string().into());
        }
        line
    }
}

/// At most `bytes_max` bytes of the text, cut between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn lines_are_cut_between_characters() {
        assert_eq!(cut("plain", 16), "plain");
        assert_eq!(cut("plain", 2), "pl");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("é", 1), "");
    }
}
