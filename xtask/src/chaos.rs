//! `cargo xtask chaos`: the chaos tests for as long as somebody asks, from a seed that is printed, so that what was
//! found can be looked for again.

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;
use crate::{guests, nats, postgres, toolchain, up};

/// Each pair of bus and storage, with the test that runs on it.
const PAIRS: [(&str, &str); 3] =
    [("embedded-sqlite", "embedded_sqlite"), ("nats-sqlite", "nats_sqlite"), ("nats-postgres", "nats_postgres")];
/// What the host can be told to break, to see it noticed.
const PROMISES: [&str; 2] = ["handled-marks", "outbox"];
/// A day.
const MINUTES_MAX: u64 = 24 * 60;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    minutes: u64,
    seed: Option<u64>,
    test: &'static str,
    broken: Option<&'static str>,
}

/// Build everything and run it.
pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> anyhow::Result<ExitCode> {
    let asked = parse(options)?;
    toolchain::ensure(workspace)?;
    guests::build(workspace, guests::SHOP)?;
    guests::build(workspace, guests::TEST_GUESTS)?;
    up::build_host(workspace, up::PROFILE)?;
    let nats = if asked.test.starts_with("nats") { Some(nats::ensure(workspace)?) } else { None };
    let postgres = if asked.test.ends_with("postgres") { Some(postgres::ensure(workspace)?) } else { None };
    let mut test = workspace.cargo("");
    test.args(["test", "--release", "--locked", "--package", "hull-tests", "--test", "chaos", asked.test]);
    test.args(["--", "--exact", "--nocapture"]);
    test.env("HULL_CHAOS_SECONDS", (asked.minutes * 60).to_string());
    let servers = [(nats::VARIABLE, nats), (postgres::VARIABLE, postgres)];
    test.envs(servers.into_iter().filter_map(|(variable, program)| Some((variable, program?))));
    if let Some(seed) = asked.seed {
        test.env("HULL_CHAOS_SEED", seed.to_string());
    }
    if let Some(promise) = asked.broken {
        test.env("HULL_CHAOS_BREAK", promise);
    }
    let status = test.status().context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(options: &[&str]) -> anyhow::Result<Asked> {
    let [(_, first), ..] = PAIRS;
    let mut asked = Asked { minutes: 5, seed: None, test: first, broken: None };
    for option in options.chunks(2) {
        let [name, value] = option else { bail!("{} needs a value", option.concat()) };
        let number = || value.parse::<u64>().with_context(|| format!("{name} takes a number and not {value}"));
        match *name {
            "--minutes" => asked.minutes = number()?,
            "--seed" => asked.seed = Some(number()?),
            "--pair" => {
                let pair = PAIRS.into_iter().find(|(pair, _)| pair == value);
                asked.test =
                    pair.with_context(|| format!("{value} is no pair: {}", PAIRS.map(|(p, _)| p).join(", ")))?.1;
            }
            "--break" => {
                let promise = PROMISES.into_iter().find(|promise| promise == value);
                asked.broken = Some(promise.with_context(|| format!("{value} is none of {}", PROMISES.join(", ")))?);
            }
            other => bail!("{other} is none of --minutes, --seed, --pair, --break"),
        }
    }
    anyhow::ensure!((1..=MINUTES_MAX).contains(&asked.minutes), "--minutes is 1 to {MINUTES_MAX}");
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::{Asked, PAIRS, parse};

    #[test]
    fn options_are_read_and_wrong_ones_named() {
        let asked = parse(&["--minutes", "3", "--seed", "7", "--pair", "embedded-sqlite", "--break", "outbox"]);
        let expected = Asked { minutes: 3, seed: Some(7), test: "embedded_sqlite", broken: Some("outbox") };
        assert_eq!(asked.expect("options"), expected);
        assert_eq!(parse(&[]).expect("none"), Asked { minutes: 5, seed: None, test: "embedded_sqlite", broken: None });
        for (pair, test) in PAIRS {
            assert_eq!(parse(&["--pair", pair]).expect("a pair").test, test);
        }
        for (wrong, told) in [
            (&["--minutes"][..], "needs a value"),
            (&["--minutes", "0"], "1 to"),
            (&["--seed", "x"], "a number"),
            (&["--pair", "paper"], "embedded-sqlite"),
            (&["--break", "everything"], "handled-marks"),
            (&["--hours", "1"], "--minutes"),
        ] {
            let error = parse(wrong).expect_err("wrong").to_string();
            assert!(error.contains(told), "{wrong:?}: {error}");
        }
    }
}
