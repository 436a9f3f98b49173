//! `bench many`: a daemon with a thousand components that nobody calls. What each of them takes of memory, and how fast
//! they all are there after a restart.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;

use super::daemon::{Daemon, Priority};
use crate::rounds::median;
use crate::table::{milliseconds, thousands};
use crate::{components, machine};

/// How many.
pub(crate) struct Options {
    /// Components of one app.
    pub(crate) components: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { components: 1000 }
    }
}

const RESTARTS: usize = 5;

/// Measure and print.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let one = restarted(1)?;
    let many = restarted(options.components)?;
    let each = many.resident_bytes.saturating_sub(one.resident_bytes) / u64::from(options.components.max(2) - 1);
    println!("{}\n\n| {} components on one host | |\n|---|--:|", machine::describe(), options.components);
    println!("| memory of the host, with one | {} MiB |", one.resident_bytes >> 20);
    println!("| memory of the host, with all | {} MiB |", many.resident_bytes >> 20);
    println!("| memory per idle component | {} KiB |", thousands(each as f64 / 1024.0));
    println!("| deployed at once, compiled | {:.1} s |", many.deployed_in.as_secs_f64());
    println!("| start with one, restored | {} |", milliseconds(one.started_in));
    println!("| start with all, restored | {} |", milliseconds(many.started_in));
    Ok(())
}

struct Restarted {
    deployed_in: Duration,
    resident_bytes: u64,
    started_in: Duration,
}

fn restarted(count: u32) -> anyhow::Result<Restarted> {
    eprintln!("deploying {count} components");
    let mut daemon = Daemon::start()?;
    let original = std::fs::read(components::built("hello")?).context("cannot read the hello component")?;
    let mut text = String::from("spin_manifest_version = 2\n[application]\nname = \"many\"\nversion = \"1\"\n");
    for number in 0..count {
        std::fs::write(daemon.folder().join(format!("{number}.wasm")), components::numbered(&original, number))?;
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[[trigger.http]]\nroute = \"/c{number}\"\ncomponent = \"c{number}\"\n\
             [component.c{number}]\nsource = \"{number}.wasm\"\n"
        );
    }
    let manifest = daemon.folder().join("spin.toml");
    std::fs::write(&manifest, text)?;
    let began = hull_clock::now();
    daemon.command(&["deploy", "-f", &manifest.display().to_string()], Priority::Usual)?;
    let deployed_in = hull_clock::now() - began;
    let (mut starts, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..RESTARTS {
        daemon = daemon.restart()?;
        starts.push(daemon.process.started_in);
        sizes.push(daemon.process.resident_bytes()?);
    }
    let (started_in, resident_bytes) = (median(starts).context("no start")?, median(sizes).context("no size")?);
    Ok(Restarted { deployed_in, resident_bytes, started_in })
}
