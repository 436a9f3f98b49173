//! `cargo xtask bench`: builds what would be shipped and lets `hull-bench` (tests/bench) measure.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::workspace::{Workspace, run_to_success};
use crate::{guests, nats, postgres, toolchain, up};

/// What is shipped.
const PROFILE: &str = "dist";

/// Run one bench; `options` go to it.
pub(crate) fn run(workspace: &Workspace, name: &str, options: &[&str]) -> anyhow::Result<ExitCode> {
    toolchain::ensure(workspace)?;
    guests::build(workspace, guests::SHOP)?;
    guests::build(workspace, guests::TEST_GUESTS)?;
    up::build_host(workspace, PROFILE)?;
    // Apart from the host, so that the bench's own dependencies never change how the host is built.
    let mut cargo = workspace.cargo("");
    cargo.args(["build", "--profile", PROFILE, "--package", "hull-bench"]);
    run_to_success(cargo)?;
    let mut bench = workspace.program(workspace.programs(PROFILE).join("hull-bench"));
    bench.arg(name).args(options);
    if name == "events" {
        bench.env(nats::VARIABLE, nats::ensure(workspace)?);
        bench.env(postgres::VARIABLE, postgres::ensure(workspace)?);
    }
    let status = bench.status().context("cannot start hull-bench")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
