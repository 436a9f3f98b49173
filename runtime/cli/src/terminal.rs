//! Standard output: text, bytes and JSON; colours only where a terminal shows them; and a reader that goes away is
//! not a failure.

use std::io::{self, IsTerminal as _, Write as _};

use clap::builder::styling::Style;
use serde::Serialize;

/// Nobody reads standard output any more.
#[derive(Debug)]
pub(crate) struct OutputClosed;

impl std::fmt::Display for OutputClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for OutputClosed {}

/// Print text as it is.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(text.as_bytes())
}

/// Print bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let done = out.write_all(bytes).and_then(|()| out.flush());
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => OutputClosed.into(),
        _ => anyhow::Error::new(error).context("cannot write to standard output"),
    })
}

/// Print a value as JSON over several lines.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Text that came from elsewhere, without what would drive the terminal.
pub(crate) fn harmless(text: &str) -> String {
    let drives = |character: char| match character {
        '\t' => false,
        // What turns the direction of text around, and what is not seen.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => true,
        other => other.is_control(),
    };
    text.chars().map(|character| if drives(character) { '\u{fffd}' } else { character }).collect()
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    colours: bool,
}

impl Paint {
    /// On standard output.
    pub(crate) fn for_stdout() -> Self {
        Self::on(io::stdout().is_terminal())
    }

    /// On standard error.
    pub(crate) fn for_stderr() -> Self {
        Self::on(io::stderr().is_terminal())
    }

    /// Never.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { colours: false }
    }

    /// `NO_COLOR` is honoured: <https://no-color.org>.
    fn on(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colours: terminal && !refused && !dumb }
    }

    /// The text in that style, or as it is.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::styling::{AnsiColor, Style};

    use super::{Paint, harmless};

    #[test]
    fn colours_only_where_they_are_shown() {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into()));
        assert_eq!(Paint::plain().paint(red, "no"), "no");
        assert_eq!(Paint { colours: true }.paint(red, "no"), "\u{1b}[31mno\u{1b}[0m");
    }

    #[test]
    fn foreign_text_does_not_drive_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\tc\r"), "a\u{fffd}[2Jb\tc\u{fffd}");
    }
}
