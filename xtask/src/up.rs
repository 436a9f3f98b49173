//! `cargo xtask up`: from a fresh clone to a running shop.

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::workspace::{Workspace, run_to_success};
use crate::{guests, nats, toolchain};

/// One for the host and its tests, so that wasmtime is built once.
pub(crate) const PROFILE: &str = "release";

/// Where the events of the shop are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    /// Where `hull.toml` says: embedded, if there is none.
    AsConfigured,
    /// A nats-server that is started beside it.
    Nats,
}

/// Build what the shop needs and become `hull up`; returns only if that cannot be started.
pub(crate) fn run(workspace: &Workspace, bus: Bus, extra: &[&str]) -> anyhow::Result<ExitCode> {
    toolchain::ensure(workspace)?;
    guests::build(workspace, guests::SHOP)?;
    build_host(workspace, PROFILE)?;
    let hull = workspace.programs(PROFILE).join("hull");
    let mut up = workspace.program(&hull);
    up.args(["up", "-f", "spin.toml"]);
    if bus == Bus::Nats {
        let folder = workspace.root().join(state_dir(extra)).join("nats");
        let url = nats::start_beside(workspace, &folder)?;
        eprintln!("events are on {url}; try `nats --server {url} sub 'hull.shop.>'`");
        let config = folder.join("hull.toml");
        let text = format!("[bus]\nbackend = \"nats\"\nurl = \"{url}\"\n");
        std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        up.arg("--config").arg(config);
    }
    up.args(extra);
    // In this process's place: signals reach the host itself, and its exit status is ours.
    let error = up.exec();
    Err(anyhow::Error::new(error).context(format!("cannot start {}", hull.display())))
}

/// Where the host keeps its data: events and what is known of them belong together.
fn state_dir<'a>(extra: &[&'a str]) -> &'a str {
    let flag = extra.iter().position(|argument| *argument == "--state-dir");
    let apart = flag.and_then(|at| extra.get(at + 1).copied());
    let joined = || extra.iter().find_map(|argument| argument.strip_prefix("--state-dir="));
    apart.or_else(joined).unwrap_or(".hull")
}

/// The `hull` binary.
pub(crate) fn build_host(workspace: &Workspace, profile: &str) -> anyhow::Result<()> {
    eprintln!("building the host (the first time this takes minutes: wasmtime is large)");
    let mut cargo = workspace.cargo("");
    cargo.args(["build", "--profile", profile, "--package", "hull-cli"]);
    run_to_success(cargo)
}

#[cfg(test)]
mod tests {
    use super::state_dir;

    #[test]
    fn a_server_keeps_its_data_with_the_host() {
        assert_eq!(state_dir(&["--json"]), ".hull");
        assert_eq!(state_dir(&["--state-dir", "/tmp/a", "--json"]), "/tmp/a");
        assert_eq!(state_dir(&["--json", "--state-dir=b"]), "b");
    }
}
