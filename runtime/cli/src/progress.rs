//! Progress of long work: a bar on a terminal, a plain line per step elsewhere. Always on standard error, so that
//! standard output stays what was asked for.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Steps of known number, one after the other.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

/// A step that has begun.
pub(crate) struct Step<'a> {
    progress: &'a Progress,
    began: Instant,
}

impl Progress {
    /// So many steps lie ahead. Without a bar, what steps print stands between the lines about them.
    pub(crate) fn new(steps: usize, with_bar: bool) -> Self {
        let bar = (with_bar && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(steps as u64);
            // The template is fixed; if it were wrong, the default would do.
            let style = ProgressStyle::with_template("{spinner} [{pos}/{len}] {prefix} {wide_msg:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(REDRAW_INTERVAL);
            bar
        });
        Self { bar }
    }

    /// Begin a step: `building orders`.
    pub(crate) fn begin(&self, what: &str) -> Step<'_> {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(what.to_owned());
                bar.set_message(String::new());
            }
            None => eprintln!("{what}"),
        }
        Step { progress: self, began: hull_clock::now() }
    }

    /// Take the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Step<'_> {
    /// What the step is at; shown on a terminal only.
    pub(crate) fn at(&self, detail: &str) {
        if let Some(bar) = &self.progress.bar {
            bar.set_message(detail.to_owned());
        }
    }

    /// The step has ended: `built orders`. Tells how long it took.
    pub(crate) fn end(self, what: &str) {
        let line = format!("{what} in {:.1} s", hull_clock::now().duration_since(self.began).as_secs_f64());
        match &self.progress.bar {
            Some(bar) => {
                bar.println(line);
                bar.inc(1);
            }
            None => eprintln!("{line}"),
        }
    }
}
