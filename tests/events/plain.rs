//! Clients that know nothing of Hull, here the bare protocol over a socket: what `nats pub` and `nats sub` do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;
use hull_tests::mail::{APP, seen_and_ok, until_seen};

use crate::mail;

struct Plain {
    socket: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Plain {
    fn connect(port: u16) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        socket.write_all(b"CONNECT {\"verbose\":false,\"headers\":true}\r\n")?;
        let lines = BufReader::new(socket.try_clone()?);
        Ok(Self { socket, lines })
    }

    /// Send, and wait until the server has read it.
    fn send(&mut self, command: &str) -> anyhow::Result<()> {
        self.socket.write_all(format!("{command}\r\nPING\r\n").as_bytes())?;
        self.until("PONG").map(drop)
    }

    fn until(&mut self, begin: &str) -> anyhow::Result<String> {
        loop {
            let mut line = String::new();
            anyhow::ensure!(self.lines.read_line(&mut line)? > 0, "the server has closed the connection");
            if line.starts_with(begin) {
                return Ok(line);
            }
        }
    }
}

#[test]
fn a_plain_publish_triggers_a_component() -> anyhow::Result<()> {
    let mail = mail()?;
    let mut plain = Plain::connect(mail.app().nats_port().context("a server")?)?;
    let payload = seen_and_ok().to_string();
    plain.send(&format!("PUB hull.{APP}.work.plain {}\r\n{payload}", payload.len()))?;
    let seen = until_seen(&mail.client(), "worker", "work.plain", 1)?;
    let (sequence, time) = seen[0].id.split_once('.').context("sequence and time")?;
    assert!(sequence.parse::<u64>().is_ok() && time.parse::<u64>().is_ok(), "{}", seen[0].id);
    Ok(())
}

#[test]
fn a_plain_subscriber_hears_what_components_publish() -> anyhow::Result<()> {
    let mail = mail()?;
    let mut plain = Plain::connect(mail.app().nats_port().context("a server")?)?;
    plain.send(&format!("SUB hull.{APP}.work.heard 1"))?;
    hull_tests::events::publish(mail.host(), APP, "work.heard", &seen_and_ok())?;
    plain.until(&format!("HMSG hull.{APP}.work.heard 1"))?;
    plain.until("ce-type: work.heard").map(drop)
}
