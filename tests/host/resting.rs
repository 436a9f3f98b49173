//! What the host holds for later and gives back when it has come to rest.

use std::time::Duration;

use hull_tests::app::App;
use hull_tests::exchange::Exchange;
use hull_tests::host::Host;
use hull_tests::wait;

use crate::{app, manifest};

/// So many connections take at least as much.
const CROWD: usize = 600;
const CROWD_BYTES_MIN: u64 = 6 << 20;
/// And so many sandboxes, each with that in its memory.
const SANDBOXES: usize = 48;
const SCRIPT_BYTES: usize = 1 << 20;
const SANDBOXES_BYTES_MIN: u64 = 48 << 20;
/// Memory that changes by no more for so long is at rest.
const STEADY_BYTES: u64 = 512 << 10;
const STEADY_FOR: Duration = Duration::from_secs(5);

/// Nobody comes after them, so that no thread looks after what it holds for later but those that rest.
#[test]
fn what_a_crowd_took_is_given_back_when_it_has_gone() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.up()?;
    let crowd_of = |number: usize| -> anyhow::Result<Vec<Exchange>> {
        let comes = |_| {
            let mut exchange = Exchange::open(host.client().address())?;
            exchange.send(b"GET /probe/hello HTTP/1.1\r\nhost: x\r\n\r\n")?;
            let head = exchange.head()?;
            exchange.body(&head)?;
            anyhow::ensure!(head.status == 200, "{head:?}");
            Ok(exchange)
        };
        (0..number).map(comes).collect()
    };
    drop(crowd_of(32)?);
    let before = at_rest(&host)?;
    let crowd = crowd_of(CROWD)?;
    let grown = host.resident_bytes()?.saturating_sub(before);
    assert!(grown > CROWD_BYTES_MIN, "a crowd takes no more than {} KiB", grown >> 10);
    drop(crowd);
    until_back(&host, before, grown)
}

/// Their slots are kept as they are for whoever comes next, and nobody comes.
#[test]
fn what_many_sandboxes_used_is_given_back_when_they_have_ended() -> anyhow::Result<()> {
    let app = App::of_text(&manifest("reuse = \"never\"\nlimits = { concurrency = 64, time = \"20s\" }"))?;
    let host = app.up()?;
    // Read into the sandbox, where the last byte is waited for: it comes when all have theirs.
    let (most, last) = (" ".repeat(SCRIPT_BYTES) + "[", "]");
    let length = most.len() + last.len();
    let head = format!("POST /probe/run HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    let at_once = |number: usize, before: u64, bytes_min: u64| -> anyhow::Result<u64> {
        let begin = |_| {
            let mut exchange = Exchange::open(host.client().address())?;
            exchange.send([&*head, &*most].concat().as_bytes())?;
            Ok(exchange)
        };
        let mut begun = (0..number).map(begin).collect::<anyhow::Result<Vec<Exchange>>>()?;
        wait::until("all to have a sandbox", || Ok((host.inside("probe")? == number as u64).then_some(())))?;
        let grown = wait::until("their memory to be in use", || {
            let grown = host.resident_bytes()?.saturating_sub(before);
            Ok((grown > bytes_min).then_some(grown))
        })?;
        begun.iter_mut().try_for_each(|exchange| exchange.send(last.as_bytes()))?;
        for mut exchange in begun {
            let head = exchange.head()?;
            anyhow::ensure!(head.status == 200, "{head:?}");
            exchange.body(&head)?;
        }
        wait::until("all to have ended", || Ok((host.inside("probe")? == 0).then_some(())))?;
        Ok(grown)
    };
    at_once(2, 0, 0)?;
    let before = at_rest(&host)?;
    let used = at_once(SANDBOXES, before, SANDBOXES_BYTES_MIN)?;
    // They may leave more than they used, and it may be on its way back already.
    let grown = host.resident_bytes()?.saturating_sub(before).max(used);
    until_back(&host, before, grown)
}

/// Its memory once that changes no more.
fn at_rest(host: &Host) -> anyhow::Result<u64> {
    let mut seen = (0, hull_clock::now());
    wait::until("the host's memory to rest", || {
        let (now, bytes) = (hull_clock::now(), host.resident_bytes()?);
        if bytes.abs_diff(seen.0) > STEADY_BYTES {
            seen = (bytes, now);
        }
        Ok((now - seen.1 > STEADY_FOR).then_some(bytes))
    })
}

/// Wait until no more than half of what it has grown by is left.
fn until_back(host: &Host, before: u64, grown: u64) -> anyhow::Result<()> {
    let left = || Ok::<_, anyhow::Error>(host.resident_bytes()?.saturating_sub(before));
    let back = wait::until("the memory to be back", || Ok((left()? <= grown / 2).then_some(())));
    back.map_err(|error| error.context(format!("of {} KiB there are {:?} bytes left", grown >> 10, left())))
}
