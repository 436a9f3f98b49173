//! Runs the commands of one step. What they print is kept for the case that they fail, or passed on as it is.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, PipeReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::plan::Step;
use crate::terminal::harmless;

/// How much of what failed commands print is shown: the last lines, each cut.
const OUTPUT_LINES_MAX: usize = 200;
const LINE_BYTES_MAX: u64 = 4 << 10;

/// A command that did not succeed.
#[derive(Debug)]
pub(super) struct Failed {
    command: String,
    folder: PathBuf,
    why: Why,
    /// The last lines that it printed.
    output: Vec<String>,
}

#[derive(Debug)]
enum Why {
    NotStarted(io::Error),
    Ended(ExitStatus),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotStarted(error) => write!(f, "could not be started: {error}"),
            Self::Ended(status) => write!(f, "ended with {status}"),
        }
    }
}

impl Failed {
    /// For people.
    pub(super) fn told(&self, step: &Step) -> String {
        let Self { command, folder, why, output } = self;
        let mut told = format!("{}: `{command}` in {} {why}", step.names(), folder.display());
        for line in output {
            told.push_str("\n    ");
            told.push_str(line);
        }
        told
    }

    /// For programs.
    pub(super) fn to_json(&self, step: &Step) -> Value {
        json!({
            "components": step.components().collect::<Vec<_>>(),
            "command": self.command,
            "folder": self.folder,
            "reason": self.why.to_string(),
            "output": self.output,
        })
    }
}

/// Run the commands of a step until one fails. `at` hears every line that they print.
pub(super) fn run_step(step: &Step, base: &Path, verbose: bool, at: &dyn Fn(&str)) -> Result<(), Failed> {
    let folder = step.workdir.as_ref().map_or_else(|| base.to_owned(), |workdir| base.join(workdir));
    for command in &step.commands {
        let mut output = VecDeque::new();
        let ended = if verbose {
            // Standard output is for what was asked for: JSON, perhaps.
            shell(command, &folder).stdout(io::stderr()).status()
        } else {
            run_quietly(shell(command, &folder), at, &mut output)
        };
        let why = match ended {
            Ok(status) if status.success() => continue,
            Ok(status) => Why::Ended(status),
            Err(error) => Why::NotStarted(error),
        };
        return Err(Failed { command: command.clone(), folder, why, output: output.into() });
    }
    Ok(())
}

/// As Spin runs them.
fn shell(command: &str, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).current_dir(folder).stdin(Stdio::null());
    shell
}

fn run_quietly(mut command: Command, at: &dyn Fn(&str), output: &mut VecDeque<String>) -> io::Result<ExitStatus> {
    // One pipe for both streams keeps their lines in order.
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // It holds the writing ends as well, and the reading below would never end.
    drop(command);
    keep_lines(reader, at, output)?;
    child.wait()
}

fn keep_lines(reader: PipeReader, at: &dyn Fn(&str), output: &mut VecDeque<String>) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? > 0 {
        let text = harmless(String::from_utf8_lossy(&line).trim_end());
        line.clear();
        at(&text);
        if output.len() == OUTPUT_LINES_MAX {
            output.pop_front();
        }
        output.push_back(text);
    }
    Ok(())
}
