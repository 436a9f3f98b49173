//! HTTP: bodies without an end, bodies that nobody reads, and clients that are slow on purpose.

use std::io::Write as _;
use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::exchange::Exchange;
use hull_tests::shared::{Running, Shared};
use hull_tests::wait;
use serde_json::json;

use crate::attack::{alone, begin, counted, ended, hostile, is_well_again, manifest, neighbour_is_well};

static ROOM: Shared = Shared::new(app);

/// Three seconds, and enough CPU not to be ended for that.
const LITTLE_TIME: &str = "time = \"3s\"\ncpu-per-invocation = \"10s\"";
/// What may be on its way through the host for one request, and what the host takes and gives back of its own.
const SLACK_BYTES: u64 = 48 << 20;

fn app() -> anyhow::Result<App> {
    let narrow = "[application.tool.hull.bulkheads.narrow]\nqueue = { length = 1, wait = \"1ms\" }\n";
    App::of_text(&manifest(&[
        narrow.to_owned(),
        hostile("unfinished", "", LITTLE_TIME),
        hostile("endless", "", LITTLE_TIME),
        // Nobody waits for a place, and nobody is gone before all of them are there.
        hostile("undrained", "", "time = \"10s\"\ncpu-per-invocation = \"10s\"\nconcurrency = 16")
            .replace("[component.undrained.tool.hull]", "[component.undrained.tool.hull]\nbulkhead = \"narrow\""),
        hostile("unread", "", &format!("{LITTLE_TIME}\nbody-in-max = \"1GiB\"")),
        hostile("slow-body", "", LITTLE_TIME),
        hostile("slow-stream", "", LITTLE_TIME).replace("{hostile}", "{probe}"),
        hostile("declared", "", LITTLE_TIME),
    ]))
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

/// It was the time that cut the answer short: the invocation counted as answered when the answer began.
fn cut_by_time(room: &Running, component: &str) -> anyhow::Result<()> {
    counted(room.host(), component, "time", 1.0)?;
    ended(room.host(), component, "http", "ok", 1.0)?;
    is_well_again(room, component)
}

/// It was the time that ended it.
fn ended_by_time(room: &Running, component: &str) -> anyhow::Result<()> {
    ended(room.host(), component, "http", "deadline-exceeded", 1.0)?;
    counted(room.host(), component, "time", 1.0)?;
    is_well_again(room, component)
}

#[test]
fn an_answer_that_is_never_finished() -> anyhow::Result<()> {
    let room = room()?;
    let mut exchange = begin(&room, "unfinished", "unfinished")?;
    neighbour_is_well(&room)?;
    let head = exchange.head()?;
    assert_eq!(head.status, 200);
    assert!(exchange.body(&head).is_err(), "half an answer looks complete");
    cut_by_time(&room, "unfinished")
}

#[test]
fn an_answer_without_end() -> anyhow::Result<()> {
    let room = room()?;
    let _alone = alone();
    let before = room.host().resident_bytes()?;
    let mut exchange = begin(&room, "endless", "endless-body")?;
    let head = exchange.head()?;
    let (mut bytes, mut most) = (0_usize, 0);
    let read = exchange.each_piece(&head, |piece| {
        bytes += piece.len();
        most = most.max(room.host().resident_bytes().unwrap_or(u64::MAX));
    });
    assert!(read.is_err() && bytes > 1 << 20, "{read:?} after {bytes} bytes");
    assert!(most < before + SLACK_BYTES, "{before} bytes before, {most} at the most, for {bytes} sent");
    cut_by_time(&room, "endless")
}

/// As many as may be inside at once, and some more: those are told to come again.
#[test]
fn clients_that_do_not_read_an_answer_without_end() -> anyhow::Result<()> {
    const INSIDE: usize = 16;
    const TOO_MANY: usize = 4;
    let room = room()?;
    let _alone = alone();
    let before = room.host().resident_bytes()?;
    let reading = |mut exchange: Exchange| Ok((exchange.head()?, exchange));
    let ask = || begin(&room, "undrained", "endless-body");
    let asked = (0..INSIDE).map(|_| ask()).collect::<anyhow::Result<Vec<_>>>()?;
    let inside = asked.into_iter().map(reading).collect::<anyhow::Result<Vec<_>>>()?;
    for _ in 0..TOO_MANY {
        assert_eq!(ask()?.head()?.status, 503, "there is room for {INSIDE}");
    }
    neighbour_is_well(&room)?;
    counted(room.host(), "undrained", "time", INSIDE as f64)?;
    let after = room.host().resident_bytes()?;
    assert!(after < before + SLACK_BYTES, "{before} bytes before, {after} after");
    for (head, mut exchange) in inside {
        assert_eq!(head.status, 200);
        assert!(exchange.body(&head).is_err(), "a part of an answer looks complete");
    }
    // Their places are free when the guests are gone.
    wait::until("the guests to be gone", || Ok((room.host().inside("undrained")? == 0).then_some(())))?;
    is_well_again(&room, "undrained")
}

#[test]
fn a_body_that_is_never_read() -> anyhow::Result<()> {
    let room = room()?;
    let _alone = alone();
    let before = room.host().resident_bytes()?;
    let request = room.client().request("POST", "/unread/unread").header("transfer-encoding", "chunked");
    let mut exchange = request.start()?;
    let mut sender = exchange.sender()?;
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
    // It ends when the host closes the connection.
    let sending = std::thread::spawn(move || while sender.write_all(&chunk).is_ok() {});
    neighbour_is_well(&room)?;
    assert_eq!(exchange.head()?.status, 504);
    let after = room.host().resident_bytes()?;
    assert!(after < before + SLACK_BYTES, "{before} bytes before, {after} after");
    drop(exchange);
    sending.join().expect("it only writes");
    ended_by_time(&room, "unread")
}

#[test]
fn a_body_of_a_gibibyte() -> anyhow::Result<()> {
    let room = room()?;
    let request = "POST /declared/hello HTTP/1.1\r\nhost: hull.test\r\ncontent-length: 1073741824\r\n\r\n";
    let mut exchange = Exchange::open(room.client().address())?;
    exchange.send(request.as_bytes())?;
    assert_eq!(exchange.head()?.status, 413);
    counted(room.host(), "declared", "body-in", 1.0)?;
    is_well_again(&room, "declared")
}

#[test]
fn a_client_that_never_ends_its_head() -> anyhow::Result<()> {
    let room = room()?;
    let mut exchange = Exchange::open(room.client().address())?;
    exchange.send(b"GET /neighbour/hello HTTP/1.1\r\nhost: hull.test\r\nx-more: ")?;
    neighbour_is_well(&room)?;
    let head = exchange.head()?;
    let told: serde_json::Value = serde_json::from_slice(&exchange.body(&head)?)?;
    assert_eq!((head.status, &told["type"]), (408, &json!("urn:hull:problem:head-timeout")), "{told}");
    assert!(exchange.rest()?.is_empty(), "the connection is closed");
    neighbour_is_well(&room)
}

#[test]
fn a_client_that_never_ends_its_body() -> anyhow::Result<()> {
    let room = room()?;
    // What is short is awaited before the guest is asked.
    let request = "POST /slow-body/unread HTTP/1.1\r\nhost: hull.test\r\ncontent-length: 100\r\n\r\nhalf";
    let mut exchange = Exchange::open(room.client().address())?;
    exchange.send(request.as_bytes())?;
    neighbour_is_well(&room)?;
    let head = exchange.head()?;
    let told: serde_json::Value = serde_json::from_slice(&exchange.body(&head)?)?;
    assert_eq!((head.status, &told["type"]), (408, &json!("urn:hull:problem:body-timeout")), "{told}");
    is_well_again(&room, "slow-body")
}

#[test]
fn a_client_that_never_ends_its_stream() -> anyhow::Result<()> {
    let room = room()?;
    let request = room.client().request("POST", "/slow-stream/upload").header("transfer-encoding", "chunked");
    let mut exchange = request.start()?;
    exchange.send(b"4\r\nhalf\r\n")?;
    neighbour_is_well(&room)?;
    let head = exchange.head()?;
    let told: serde_json::Value = serde_json::from_slice(&exchange.body(&head)?)?;
    assert_eq!((head.status, &told["type"]), (504, &json!("urn:hull:problem:deadline-exceeded")), "{told}");
    drop(exchange);
    ended_by_time(&room, "slow-stream")
}
