//! Reading lines as they are written. A reader that is slower than the writers misses lines, never holds them up.

use std::sync::Arc;

use hull_invocation::ComponentId;

use crate::log::LogLine;
use crate::ring::Logs;

/// Reads the lines of one component, or of all.
#[derive(Debug)]
pub struct Follower {
    logs: Arc<Logs>,
    selection: Option<ComponentId>,
    first: Option<usize>,
    after: u64,
}

impl Follower {
    pub(crate) fn new(logs: Arc<Logs>, selection: Option<ComponentId>, lines_max: usize) -> Self {
        Self { logs, selection, first: Some(lines_max), after: 0 }
    }

    /// The next lines, at least one, oldest first. Cancelling loses none.
    pub async fn next(&mut self) -> Vec<LogLine> {
        loop {
            let logs = Arc::clone(&self.logs);
            let mut written = std::pin::pin!(logs.written());
            // Before looking: a line written between the look and the wait must end the wait.
            written.as_mut().enable();
            let lines = self.look();
            if !lines.is_empty() {
                return lines;
            }
            written.await;
        }
    }

    fn look(&mut self) -> Vec<LogLine> {
        let mut lines = self.logs.after(self.selection.as_ref(), self.after);
        if let Some(last) = lines.last() {
            self.after = last.sequence;
        }
        if let Some(lines_max) = self.first.take() {
            let surplus = lines.len().saturating_sub(lines_max);
            lines.drain(..surplus);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hull_invocation::ComponentId;

    use crate::{Level, LogSource, Logs, Metrics};

    #[tokio::test]
    async fn a_follower_sees_the_kept_lines_then_the_new_ones() {
        let logs = Logs::new(Arc::new(Metrics::new()));
        let id = ComponentId::new("shop", "orders");
        let log = logs.component(&id);
        for text in ["1", "2", "3"] {
            log.write(Level::Info, LogSource::Logging, None, text);
        }
        let mut follower = logs.follow(Some(id), 2);
        let texts =
            |lines: Vec<crate::LogLine>| -> Vec<String> { lines.iter().map(|line| line.message.to_string()).collect() };
        assert_eq!(texts(follower.next().await), ["2", "3"]);

        let waiting = tokio::spawn(async move { (follower.next().await, follower) });
        logs.component(&ComponentId::new("shop", "other")).write(Level::Info, LogSource::Stdout, None, "no");
        log.write(Level::Error, LogSource::Stderr, None, "4");
        let (lines, _follower) = waiting.await.expect("the follower ends");
        assert_eq!(texts(lines), ["4"]);
    }
}
