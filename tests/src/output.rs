//! What a process says, kept line by line while it runs.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The lines of one stream of a process.
#[derive(Debug)]
pub struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Output {
    /// Keep what comes from there.
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).into_owned();
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { lines, reader: Some(reader) }
    }

    /// Everything up to now.
    pub fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The first line that `choose` makes something of.
    pub fn find<T>(&self, choose: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).find_map(choose)
    }

    /// Wait until nothing more can come, once the process has ended.
    pub fn end(&mut self) {
        if let Some(reader) = self.reader.take() {
            // A reader that panicked has kept what it had.
            let _ = reader.join();
        }
    }

    /// Everything, once the process has ended.
    pub fn whole(mut self) -> String {
        self.end();
        self.text()
    }
}
