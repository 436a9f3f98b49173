//! The way of log lines to standard error: a bounded queue to one thread. A pipe that nobody reads must not hold up
//! whoever logs, so lines that find the queue full are dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use prometheus::IntCounter;
use tracing_subscriber::fmt::MakeWriter;

/// What may wait to be written, in bytes of text.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// What a waiting line costs beside its text.
const LINE_COST_BYTES: usize = 64;
/// How long the end of the process waits for what is queued.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// Where lines are put.
#[derive(Debug, Clone)]
pub(crate) struct LineQueue {
    lines: Sender<Entry>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    queued_bytes: AtomicUsize,
    dropped: AtomicU64,
    counter: std::sync::OnceLock<IntCounter>,
}

enum Entry {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Keeps the log going; dropping it waits, not for long, until what was logged is written.
#[derive(Debug)]
pub struct LogWriter {
    queue: LineQueue,
}

impl LogWriter {
    /// Count dropped lines there as well, from now on.
    pub fn count_in(&self, dropped: IntCounter) {
        dropped.inc_by(self.queue.state.dropped.load(Ordering::Relaxed));
        // A second one would count nothing; a process has one.
        let _ = self.queue.state.counter.set(dropped);
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let (done, flushed) = channel();
        if self.queue.lines.send(Entry::Flush(done)).is_ok() {
            // Whoever reads our output may have stopped reading for good.
            let _ = flushed.recv_timeout(FLUSH_TIME);
        }
    }
}

/// Start the thread that writes to `output`.
pub(crate) fn start(output: impl Write + Send + 'static) -> io::Result<(LineQueue, LogWriter)> {
    let (lines, entries) = channel();
    let queue = LineQueue { lines, state: Arc::default() };
    let state = Arc::clone(&queue.state);
    std::thread::Builder::new().name("hull-log".to_owned()).spawn(move || run(&entries, output, &state))?;
    Ok((queue.clone(), LogWriter { queue }))
}

fn run(entries: &Receiver<Entry>, mut output: impl Write, state: &State) {
    let mut told = 0;
    while let Ok(entry) = entries.recv() {
        match entry {
            Entry::Line(line) => {
                // Standard error may be closed: there is nobody left to tell.
                let _ = output.write_all(&line);
                state.queued_bytes.fetch_sub(cost(&line), Ordering::Relaxed);
            }
            Entry::Flush(done) => {
                let _ = output.flush();
                let _ = done.send(());
            }
        }
        let dropped = state.dropped.load(Ordering::Relaxed);
        if dropped > told && state.queued_bytes.load(Ordering::Relaxed) < QUEUE_BYTES_MAX / 2 {
            tracing::warn!(lines = dropped - told, "log lines were dropped: standard error is read too slowly");
            told = dropped;
        }
    }
}

fn cost(line: &[u8]) -> usize {
    line.len() + LINE_COST_BYTES
}

impl Write for LineQueue {
    /// Takes all or nothing, and never waits.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let cost = cost(line);
        let before = self.state.queued_bytes.fetch_add(cost, Ordering::Relaxed);
        let fits = before + cost <= QUEUE_BYTES_MAX;
        if !fits || self.lines.send(Entry::Line(line.to_vec())).is_err() {
            self.state.queued_bytes.fetch_sub(cost, Ordering::Relaxed);
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
            if let Some(counter) = self.state.counter.get() {
                counter.inc();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use parking_lot::Mutex;
    use prometheus::IntCounter;

    use super::{LINE_COST_BYTES, QUEUE_BYTES_MAX, start};

    /// An output that says when it is asked to write, and writes when it is let.
    struct Slow {
        begun: Sender<()>,
        let_go: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            // The other end is gone: no more waiting.
            let _ = self.let_go.recv();
            self.written.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_the_end_writes_the_rest() {
        let (begun, is_begun) = channel();
        let (release, let_go) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut queue, writer) =
            start(Slow { begun, let_go, written: Arc::clone(&written) }).expect("a thread starts");
        queue.write_all(b"first").expect("taken");
        is_begun.recv().expect("it writes");
        // The first line is accounted for until it is written.
        let rest = QUEUE_BYTES_MAX - 2 * LINE_COST_BYTES - b"first".len();
        queue.write_all(&vec![b'x'; rest]).expect("taken");
        queue.write_all(b"too much").expect("dropped");
        assert_eq!(queue.state.dropped.load(Ordering::Relaxed), 1);
        let counter = IntCounter::new("dropped", "dropped").expect("a counter");
        writer.count_in(counter.clone());
        queue.write_all(b"as well").expect("dropped");
        assert_eq!(counter.get(), 2);
        drop(release);
        drop(writer);
        assert_eq!(written.lock().len(), b"first".len() + rest);
        assert_eq!(queue.state.queued_bytes.load(Ordering::Relaxed), 0);
    }
}
