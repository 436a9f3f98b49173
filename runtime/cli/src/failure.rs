//! How a command fails: what happened, then why, on standard error, and status 1.

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};

use crate::terminal::{OutputClosed, Paint, harmless};

/// What a failed command exits with; a wrong use exits with 2.
const FAILED: u8 = 1;

/// A failure about which everything has been said.
#[derive(Debug)]
pub(crate) struct AlreadyTold;

impl std::fmt::Display for AlreadyTold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for AlreadyTold {}

/// Say why, and give the exit status.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<OutputClosed>() {
        // Whoever reads has read enough, as with `hull logs | head`.
        return ExitCode::SUCCESS;
    }
    if !error.is::<AlreadyTold>() {
        let paint = Paint::for_stderr();
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        eprintln!("{} {}", paint.paint(red, "error:"), render(error));
    }
    ExitCode::from(FAILED)
}

/// The error and each of its causes that says something new, without what names could do to the terminal.
fn render(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their cause in their own words.
        if !text.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
    }
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn causes_follow_unless_they_were_said() {
        let error = anyhow::anyhow!("no such file").context("cannot read spin.toml").context("stopped");
        assert_eq!(render(&error), "stopped\n  because: cannot read spin.toml\n  because: no such file");
        let error = anyhow::anyhow!("refused").context("connecting: refused");
        assert_eq!(render(&error), "connecting: refused");
        let error = anyhow::anyhow!("no \u{1b}[31mred\nand \u{202e}der");
        assert_eq!(render(&error), "no \u{fffd}[31mred\nand \u{fffd}der");
    }
}
