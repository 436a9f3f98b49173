//! `cargo xtask test`: everything that can be checked, from a fresh clone, with one line at the end that says
//! how it went.

use std::io::{Read as _, Write};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;

use crate::summary::Summary;
use crate::workspace::Workspace;
use crate::{faketime, guests, nats, postgres, registry, tidy, toolchain, up};

/// Set up, then run tidy and all tests whose name contains `filter`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> anyhow::Result<ExitCode> {
    toolchain::ensure(workspace)?;
    let nats = nats::ensure(workspace)?;
    let postgres = postgres::ensure(workspace)?;
    let registry = registry::ensure(workspace)?;
    faketime::ensure(workspace)?;
    let tidy = tidy::run(workspace)?;
    guests::build(workspace, guests::SHOP)?;
    guests::build(workspace, guests::EXAMPLES)?;
    guests::build(workspace, guests::TEST_GUESTS)?;
    // The tests start the real binary, which `cargo test` alone does not build.
    up::build_host(workspace, up::PROFILE)?;

    let mut summary = Summary::default();
    let mut all_ended_well = tidy == ExitCode::SUCCESS;
    let mut host = workspace.cargo("");
    host.args(["test", "--release", "--workspace", "--locked", "--no-fail-fast"]).args(filter);
    host.env(nats::VARIABLE, nats).env(postgres::VARIABLE, postgres).env(registry::VARIABLE, registry);
    all_ended_well &= stream(host, &mut std::io::stdout(), &mut summary)?;
    for folder in [guests::SHOP, guests::EXAMPLES] {
        if guests::exists(workspace, folder) {
            let mut pure = workspace.cargo(folder);
            pure.args(["test", "--locked", "--no-fail-fast", "--target-dir", "target"]).args(filter);
            all_ended_well &= stream(pure, &mut std::io::stdout(), &mut summary)?;
        }
    }

    println!();
    if tidy != ExitCode::SUCCESS {
        println!("tidy found something: see above, or run `cargo xtask tidy`");
    }
    if !all_ended_well && tidy == ExitCode::SUCCESS && summary.failed() == 0 {
        println!("cargo failed without a failing test: something did not compile, or a test process was killed");
    }
    println!("{summary}");
    Ok(if all_ended_well && summary.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Run with the output passed on as it comes, and count the results in it. True if the status was 0.
fn stream(mut command: Command, shown: &mut impl Write, summary: &mut Summary) -> anyhow::Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut output = child.stdout.take().context("cargo has no output")?;
    let mut chunk = vec![0_u8; 16 * 1024];
    loop {
        let length = output.read(&mut chunk).context("cannot read cargo's output")?;
        let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else { break };
        shown.write_all(read)?;
        shown.flush()?;
        summary.push(read);
    }
    summary.end_of_output();
    Ok(child.wait().context("cannot wait for cargo")?.success())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::stream;
    use crate::summary::Summary;

    fn streamed(script: &str) -> (bool, String, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let (mut shown, mut summary) = (Vec::new(), Summary::default());
        let ended_well = stream(command, &mut shown, &mut summary).expect("sh runs");
        (ended_well, String::from_utf8_lossy(&shown).into_owned(), summary.to_string())
    }

    #[test]
    fn output_is_passed_on_and_counted() {
        let (ended_well, shown, summary) = streamed("echo one; echo 'test result: ok. 2 passed; 0 failed; 0 ignored'");
        assert!(ended_well);
        assert!(shown.starts_with("one\ntest result"), "{shown}");
        assert_eq!(summary, "2 passed, 0 failed");
    }

    #[test]
    fn a_failure_is_seen_even_without_a_result() {
        assert_eq!(streamed("exit 101"), (false, String::new(), "0 passed, 0 failed".to_owned()));
        assert!(!streamed("echo 'test result: ok. 2 passed; 0 failed'; kill -9 $$").0);
    }
}
