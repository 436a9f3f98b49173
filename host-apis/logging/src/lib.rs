//! What a guest says: `wasi:logging` records, and its standard output and error as lines. All of it reaches one
//! sink, together with the invocation it belongs to.

mod output;
mod record;

pub use output::OutputLines;
pub use record::{Level, LogRecord, LogScope, LogSink, MESSAGE_BYTES_MAX, Source};

use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::component::{HasData, Linker};

#[allow(missing_docs, unreachable_pub, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/logging",
        imports: { default: trappable },
    });
}

use bindings::wasi::logging::logging;

/// Where one instance's records go, and which invocation they belong to at the moment.
pub struct LoggingCtx {
    sink: Arc<dyn LogSink>,
    scope: Arc<CurrentScope>,
    outputs: Vec<OutputLines>,
}

/// The invocation that an instance serves now: what it prints belongs to that one.
pub(crate) type CurrentScope = Mutex<Arc<LogScope>>;

impl LoggingCtx {
    /// For one invocation.
    pub fn new(sink: Arc<dyn LogSink>, scope: LogScope) -> Self {
        Self { sink, scope: Arc::new(Mutex::new(Arc::new(scope))), outputs: Vec::new() }
    }

    /// The instance serves another invocation: what is left of the last one's line is not glued to its first.
    pub fn serve_next(&mut self, scope: LogScope) {
        self.flush();
        *self.scope.lock() = Arc::new(scope);
    }

    /// Log lines that have no end yet.
    pub fn flush(&self) {
        self.outputs.iter().for_each(OutputLines::flush_line);
    }

    /// Lines written to the standard output or error of the same invocation.
    pub fn lines(&mut self, source: Source) -> OutputLines {
        let lines = OutputLines::new(Arc::clone(&self.sink), Arc::clone(&self.scope), source);
        self.outputs.push(lines.clone());
        lines
    }
}

struct HasLogging;

impl HasData for HasLogging {
    type Data<'a> = &'a mut LoggingCtx;
}

/// Add the interface to a linker. `get` finds an instance's logging in its state.
pub fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: fn(&mut T) -> &mut LoggingCtx) -> wasmtime::Result<()> {
    logging::add_to_linker::<T, HasLogging>(linker, get)
}

impl logging::Host for LoggingCtx {
    fn log(&mut self, level: logging::Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => Level::Trace,
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error => Level::Error,
            logging::Level::Critical => Level::Critical,
        };
        let scope = Arc::clone(&self.scope.lock());
        self.sink.log(&LogRecord::new(&scope, level, Source::Logging, &context, &message));
        Ok(())
    }
}
