//! Standard output and error of a guest, cut into lines and logged. A line that never ends is logged in pieces, so
//! that nothing grows.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::CurrentScope;
use crate::record::{LogRecord, LogSink, MESSAGE_BYTES_MAX, Source};

/// A guest's standard output or error. Clones write to the same line.
#[derive(Clone)]
pub struct OutputLines {
    shared: Arc<Shared>,
}

struct Shared {
    sink: Arc<dyn LogSink>,
    scope: Arc<CurrentScope>,
    source: Source,
    line: Mutex<Vec<u8>>,
}

impl OutputLines {
    pub(crate) fn new(sink: Arc<dyn LogSink>, scope: Arc<CurrentScope>, source: Source) -> Self {
        Self { shared: Arc::new(Shared { sink, scope, source, line: Mutex::default() }) }
    }
}

impl OutputLines {
    pub(crate) fn flush_line(&self) {
        self.shared.emit(&mut self.shared.line.lock());
    }
}

impl Shared {
    fn write(&self, bytes: &[u8]) {
        let mut line = self.line.lock();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(MESSAGE_BYTES_MAX) {
                if line.len() + part.len() > MESSAGE_BYTES_MAX {
                    self.emit(&mut line);
                }
                line.extend_from_slice(part);
            }
            if piece.ends_with(b"\n") {
                line.pop();
                self.emit(&mut line);
            }
        }
    }

    fn emit(&self, line: &mut Vec<u8>) {
        if !line.is_empty() {
            let text = String::from_utf8_lossy(line);
            let scope = Arc::clone(&self.scope.lock());
            self.sink.log(&LogRecord::new(&scope, self.source.level(), self.source, "", &text));
            line.clear();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut line = std::mem::take(&mut *self.line.lock());
        self.emit(&mut line);
    }
}

impl IsTerminal for OutputLines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputLines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for OutputLines {
    async fn ready(&mut self) {}
}

impl OutputStream for OutputLines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.shared.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(64 * 1024)
    }
}

impl AsyncWrite for OutputLines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, std::io::Error>> {
        self.shared.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hull_invocation::{ComponentId, RequestId, TraceContext};
    use parking_lot::Mutex;

    use super::OutputLines;
    use crate::record::{LogRecord, LogScope, LogSink, MESSAGE_BYTES_MAX, Source};

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn log(&self, record: &LogRecord<'_>) {
            self.0.lock().push(record.message.to_owned());
        }
    }

    fn lines(writes: &[&[u8]]) -> Vec<String> {
        let kept = Arc::new(Kept::default());
        let scope = LogScope {
            component: ComponentId::new("shop", "orders"),
            request_id: RequestId::from_bytes([1; 16]),
            correlation_id: RequestId::from_bytes([2; 16]),
            trace: TraceContext::root([3; 16], 4),
        };
        let output = OutputLines::new(
            Arc::clone(&kept) as Arc<dyn LogSink>,
            Arc::new(Mutex::new(Arc::new(scope))),
            Source::Stdout,
        );
        writes.iter().for_each(|bytes| output.shared.write(bytes));
        drop(output);
        std::mem::take(&mut *kept.0.lock())
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        assert_eq!(lines(&[b"he", b"llo\nwor", b"ld\n\nrest"]), ["hello", "world", "rest"]);
    }

    #[test]
    fn an_endless_line_is_logged_in_pieces() {
        let endless = vec![b'x'; 3 * MESSAGE_BYTES_MAX + 1];
        let lengths: Vec<_> = lines(&[&endless]).iter().map(String::len).collect();
        assert_eq!(lengths, [MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, 1]);
    }
}
