//! A bar on a terminal while components are prepared, which takes long where they have to be compiled. The lines of the
//! log go above it. Elsewhere there are those lines alone, one for each component that was compiled.

use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

use hull_control::Preparing;
use indicatif::{MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};
use tokio::sync::watch;

/// A host that starts from its cache is ready before there is anything to look at.
const SHOWN_AFTER: Duration = Duration::from_millis(200);
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Standard error, with a bar at its end where it is a terminal.
pub(super) struct Screen {
    bars: MultiProgress,
}

/// Lines above the bar.
pub(super) struct LogOutput {
    bars: MultiProgress,
}

impl Screen {
    /// Nothing is shown yet. Where standard error is no terminal, nothing ever is.
    pub(super) fn new() -> Self {
        Self { bars: MultiProgress::new() }
    }

    /// Where the log goes.
    pub(super) fn log_output(&self) -> LogOutput {
        LogOutput { bars: self.bars.clone() }
    }

    /// Show how far a deployment is until it has ended or is dropped.
    pub(super) async fn during<T>(
        &self,
        preparing: watch::Receiver<Preparing>,
        deploying: impl Future<Output = T>,
    ) -> T {
        tokio::select! {
            ended = deploying => ended,
            never = self.draw(preparing) => match never {},
        }
    }

    /// Dropping this takes the bar away.
    async fn draw(&self, mut preparing: watch::Receiver<Preparing>) -> Infallible {
        tokio::time::sleep_until((hull_clock::now() + SHOWN_AFTER).into()).await;
        let bar = self.bars.add(ProgressBar::new(0).with_finish(ProgressFinish::AndClear));
        // The template is fixed; if it were wrong, the default would do.
        let style = ProgressStyle::with_template("{spinner} [{pos}/{len}] {bar:30} preparing components, {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(REDRAW_INTERVAL);
        loop {
            let Preparing { ready, total } = *preparing.borrow_and_update();
            bar.set_length(total as u64);
            bar.set_position(ready as u64);
            if preparing.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Write for LogOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use hull_control::Preparing;
    use tokio::sync::watch;

    use super::Screen;

    #[tokio::test]
    async fn a_deployment_ends_with_what_it_ended_with() {
        let (told, preparing) = watch::channel(Preparing { ready: 0, total: 2 });
        let screen = Screen::new();
        let ended = screen.during(preparing, async move {
            told.send_replace(Preparing { ready: 2, total: 2 });
            drop(told);
            "deployed"
        });
        assert_eq!(ended.await, "deployed");
    }
}
