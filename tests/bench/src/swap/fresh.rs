//! The first request to a component that was just deployed, over a connection that is open, when its code is in the
//! cache.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;

use super::daemon::{Daemon, Priority};
use super::rollback::whole;
use crate::components;
use crate::connection::request;
use crate::rounds::median;

const TIMES: usize = 21;
const NAME: &str = "fresh";

/// The median and the worst.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    pub(super) median: Duration,
    pub(super) most: Duration,
    /// The one after it, for comparison.
    pub(super) second: Duration,
}

pub(super) fn first_requests(daemon: &Daemon) -> anyhow::Result<First> {
    let file = daemon.folder().join("fresh.toml");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"{NAME}\"\nversion = \"1\"\n[[trigger.http]]\n\
         route = \"/{NAME}/...\"\ncomponent = \"{NAME}\"\n[component.{NAME}]\nsource = \"{}\"\n",
        components::built("hello")?.display()
    );
    std::fs::write(&file, text)?;
    let file = file.display().to_string();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for time in 0..=TIMES {
        daemon.command(&["deploy", "-f", &file], Priority::Usual)?;
        let mut stream = TcpStream::connect(daemon.process.address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        // Another component's: the connection is the host's by then.
        ask(&mut stream, "/probe/hello")?;
        let (one, two) = (ask(&mut stream, "/fresh/")?, ask(&mut stream, "/fresh/")?);
        // The first of all had to be compiled.
        if time > 0 {
            first.push(one);
            second.push(two);
        }
        daemon.command(&["remove", NAME], Priority::Usual)?;
    }
    let most = first.iter().max().copied().context("no request")?;
    let (first, second) = (median(first).context("no request")?, median(second).context("no request")?);
    Ok(First { median: first, most, second })
}

fn ask(stream: &mut TcpStream, target: &str) -> anyhow::Result<Duration> {
    let began = hull_clock::now();
    stream.write_all(&request("GET", target, ""))?;
    whole(stream)?;
    Ok(hull_clock::now() - began)
}
