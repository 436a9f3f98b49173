//! What a guest says: `wasi:logging` records, and its standard output and error as lines. All of it reaches one
//! sink, together with the invocation it belongs to.

mod output;
mod record;

pub use output::OutputLines;
pub use record::{Level, LogRecord, LogScope, LogSink, MESSAGE_BYTES_MAX, Source};

use std::sync::Arc;

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
#[derive(Clone)]
pub struct LoggingCtx {
    sink: Arc<dyn LogSink>,
    scope: Arc<LogScope>,
}

impl LoggingCtx {
    /// For one invocation.
    pub fn new(sink: Arc<dyn LogSink>, scope: Arc<LogScope>) -> Self {
        Self { sink, scope }
    }

    /// Lines written to the standard output or error of the same invocation.
    pub fn lines(&self, source: Source) -> OutputLines {
        OutputLines::new(Arc::clone(&self.sink), Arc::clone(&self.scope), source)
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
        self.sink.log(&LogRecord::new(&self.scope, level, Source::Logging, &context, &message));
        Ok(())
    }
}
