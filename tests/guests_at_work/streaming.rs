//! A gibibyte in and a gibibyte out: bodies stream, and the host's memory does not grow with them.

use std::io::Write as _;
use std::time::Duration;

use hull_tests::app::App;
use hull_tests::exchange::Exchange;
use hull_tests::host::Host;
use hull_tests::probe;
use hull_tests::shared::Running;

const GIB: u64 = 1 << 30;
const WARM_UP_BYTES: u64 = 8 << 20;
const GROWTH_BYTES_MAX: u64 = 32 << 20;

fn app() -> anyhow::Result<App> {
    let limits = |name: &str| {
        format!(
            "[component.{name}.tool.hull.limits]\nbody-in-max = \"2GiB\"\ntime = \"120s\"\ncpu-per-invocation = \"100s\""
        )
    };
    let text = probe::application("stream") + &probe::component("sync", "", &limits("sync"));
    App::of_text(&(text + &probe::component("async", "", &limits("async")).replace("{probe}", "{probe_p3}")))
}

fn check(grown: u64, what: &str) {
    assert!(grown <= GROWTH_BYTES_MAX, "{what}: the host grew by {} MiB", grown >> 20);
}

fn upload(host: &Host, path: &str, bytes: u64) -> anyhow::Result<()> {
    let mut exchange = begin(host, path, bytes)?;
    write(&mut exchange.sender()?, bytes)?;
    let head = exchange.head()?;
    let body = exchange.body(&head)?;
    let told: serde_json::Value = serde_json::from_slice(&body)?;
    assert_eq!((head.status, told["bytes"].as_u64()), (200, Some(bytes)), "{told}");
    Ok(())
}

fn begin(host: &Host, path: &str, bytes: u64) -> anyhow::Result<Exchange> {
    let mut exchange = Exchange::open(host.client().address())?;
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
    exchange.send(head.as_bytes())?;
    Ok(exchange)
}

fn write(to: &mut std::net::TcpStream, bytes: u64) -> anyhow::Result<()> {
    let piece = vec![b'x'; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left)?.min(piece.len());
        to.write_all(piece.get(..length).unwrap_or_default())?;
        left -= length as u64;
    }
    Ok(())
}

fn download(host: &Host, path: &str, bytes: u64) -> anyhow::Result<()> {
    let mut exchange = host.client().request("GET", &format!("{path}?bytes={bytes}")).start()?;
    let head = exchange.head()?;
    assert_eq!(head.status, 200);
    let (mut received, mut sum) = (0_u64, 0_u64);
    exchange.each_piece(&head, |piece| {
        received += piece.len() as u64;
        sum += piece.iter().step_by(4096).map(|byte| u64::from(*byte)).sum::<u64>();
    })?;
    assert_eq!(received, bytes);
    assert!(sum > 0);
    Ok(())
}

/// Send and receive at the same time.
fn copy(host: &Host, path: &str, bytes: u64) -> anyhow::Result<()> {
    let mut exchange = begin(host, path, bytes)?;
    let mut sender = exchange.sender()?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || write(&mut sender, bytes));
        let head = exchange.head()?;
        let mut received = 0_u64;
        exchange.each_piece(&head, |piece| received += piece.len() as u64)?;
        assert_eq!((head.status, received), (200, bytes));
        writer.join().expect("no panic")
    })
}

#[test]
fn a_gibibyte_each_way_leaves_memory_alone() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let host = running.host();
    // Buffers, code pages and the allocator's arenas are there after the first requests.
    for _ in 0..2 {
        upload(host, "/sync/upload", WARM_UP_BYTES)?;
        download(host, "/sync/download", WARM_UP_BYTES)?;
        copy(host, "/sync/copy", WARM_UP_BYTES)?;
        download(host, "/async/download", WARM_UP_BYTES)?;
        copy(host, "/async/copy", WARM_UP_BYTES)?;
    }
    check(host.growth(|| upload(host, "/sync/upload", GIB))?, "upload");
    check(host.growth(|| download(host, "/sync/download", GIB))?, "download");
    check(host.growth(|| copy(host, "/sync/copy", GIB / 4))?, "both ways");
    check(host.growth(|| download(host, "/async/download", GIB / 4))?, "asynchronous download");
    check(host.growth(|| copy(host, "/async/copy", GIB / 4))?, "asynchronous, both ways");
    Ok(())
}

#[test]
fn a_client_that_does_not_read_holds_the_guest_back() -> anyhow::Result<()> {
    let running = Running::start(app()?)?;
    let host = running.host();
    download(host, "/sync/download", WARM_UP_BYTES)?;
    let grown = host.growth(|| {
        let mut exchange = host.client().request("GET", &format!("/sync/download?bytes={GIB}")).start()?;
        assert_eq!(exchange.head()?.status, 200);
        // Nothing of the body is read: what the guest makes must not pile up in the host.
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    check(grown, "an unread download");
    host.until_idle("sync")
}
