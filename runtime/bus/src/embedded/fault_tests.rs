//! What a crash, a damaged file, a full disk and a failed sync do to the embedded bus.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hull_invocation::{Event, EventKey};
use hull_manifest::Start;
use tempfile::TempDir;

use super::disk::{Disk, RealDisk};
use super::{EmbeddedBus, EmbeddedOptions};
use crate::bus::{Bus, ConsumerSpec};
use crate::error::BusError;

const PATIENCE: Duration = Duration::from_secs(20);

fn event(id: u64) -> Event {
    Event {
        key: EventKey { source: "/shop/orders".into(), id: id.to_string() },
        subject: "a.b".into(),
        time: "2026-01-01T00:00:00.000Z".into(),
        headers: Vec::new(),
        payload: Bytes::from(format!("payload of {id}")),
    }
}

fn spec() -> ConsumerSpec {
    ConsumerSpec {
        app: "shop".into(),
        component: "orders".into(),
        pattern: "a.b".parse().expect("a pattern"),
        ack_wait: Duration::from_secs(30),
        ordered: false,
        start: Start::All,
        max_in_flight: 1000,
    }
}

/// The ids of all events that the bus holds.
async fn held(bus: &EmbeddedBus) -> Vec<u64> {
    let count = bus.status().await.streams.first().map_or(0, |stream| stream.events) as usize;
    let reader = ConsumerSpec { component: format!("reader-{}", hull_clock::random_u64()), ..spec() };
    let mut consumer = bus.consumer(reader.clone()).await.expect("opens");
    let mut ids = Vec::new();
    while ids.len() < count {
        let fetched = tokio::time::timeout(PATIENCE, consumer.fetch(1000)).await.expect("in time").expect("fetches");
        ids.extend(fetched.iter().map(|delivery| delivery.event.key.id.parse::<u64>().expect("a number")));
    }
    bus.remove_consumer("shop", &reader.component, &reader.pattern).await.expect("removes");
    ids
}

async fn open(directory: &Path) -> Result<EmbeddedBus, BusError> {
    EmbeddedBus::open(EmbeddedOptions::new(directory)).await
}

/// Why a bus with a damaged stream takes nothing for it.
async fn damage(directory: &Path) -> Option<BusError> {
    let bus = open(directory).await.expect("opens without it");
    bus.publish("shop", &event(99)).await.err()
}

/// A bus in which every event was a batch of its own; shut down. Its only segment file.
async fn bus_of(directory: &Path, events: u64) -> PathBuf {
    let bus = open(directory).await.expect("opens");
    for id in 1..=events {
        bus.publish("shop", &event(id)).await.expect("published");
    }
    bus.shutdown().await;
    directory.join("shop/log/00000000000000000001.log")
}

/// The file without what the shutdown added to it, and where its last record begins.
fn without_checkpoint(segment: &Path) -> (Vec<u8>, usize) {
    let mut bytes = fs::read(segment).expect("reads");
    bytes.truncate(bytes.len() - super::record::HEADER_LENGTH);
    let magic = &bytes[32..36].to_vec();
    let last = bytes.windows(4).rposition(|four| four == &magic[..]).expect("a record");
    (bytes, last)
}

#[tokio::test]
async fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let directory = tempfile::tempdir().expect("a directory");
    let segment = bus_of(directory.path(), 3).await;
    let (bytes, last) = without_checkpoint(&segment);
    for length in last..bytes.len() {
        fs::write(&segment, &bytes[..length]).expect("writes");
        let bus = open(directory.path()).await.unwrap_or_else(|error| panic!("torn at {length}: {error}"));
        assert_eq!(held(&bus).await, [1, 2], "torn at {length}");
        let again = bus.publish("shop", &event(3)).await.expect("published");
        assert_eq!((again.sequence, again.duplicate), (3, false), "torn at {length}");
        bus.shutdown().await;
        let bus = open(directory.path()).await.expect("opens");
        assert_eq!(held(&bus).await, [1, 2, 3], "torn at {length}");
        bus.shutdown().await;
    }
    let mut zeros = bytes[..last].to_vec();
    zeros.resize(last + 4096, 0);
    fs::write(&segment, zeros).expect("writes");
    assert_eq!(held(&open(directory.path()).await.expect("opens")).await, [1, 2], "zeros after a power cut");
}

#[tokio::test]
async fn every_flipped_byte_of_a_promised_record_is_named_and_nothing_is_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let segment = bus_of(directory.path(), 3).await;
    let whole = fs::read(&segment).expect("reads");
    let promised = whole.len() - super::record::HEADER_LENGTH;
    for place in 0..promised {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        fs::write(&segment, &bytes).expect("writes");
        match damage(directory.path()).await {
            Some(BusError::Corrupt { file, offset, .. }) => {
                assert_eq!(file, segment);
                assert!(offset <= place as u64, "{place}: {offset}");
            }
            other => panic!("byte {place}: {other:?}"),
        }
        assert_eq!(fs::read(&segment).expect("reads"), bytes, "byte {place}: the file was changed");
    }
}

#[tokio::test]
async fn an_older_segment_is_never_cut() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = EmbeddedOptions { segment_bytes: 64, ..EmbeddedOptions::new(directory.path()) };
    let bus = EmbeddedBus::open(options).await.expect("opens");
    for id in 1..=3 {
        bus.publish("shop", &event(id)).await.expect("published");
    }
    bus.shutdown().await;
    let first = directory.path().join("shop/log/00000000000000000001.log");
    let bytes = fs::read(&first).expect("reads");
    fs::write(&first, &bytes[..bytes.len() - 1]).expect("writes");
    let error = damage(directory.path()).await;
    assert!(matches!(&error, Some(BusError::Corrupt { file, .. }) if *file == first), "{error:?}");
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let segment = bus_of(directory.path(), 1).await;
    let whole = fs::read(&segment).expect("reads");
    let mut newer = whole.clone();
    newer[8] = 3;
    for bad in [b"".to_vec(), b"SQLite format 3\0and more of it than a head".to_vec(), newer] {
        fs::write(&segment, &bad).expect("writes");
        assert!(matches!(damage(directory.path()).await, Some(BusError::Corrupt { .. })));
    }
    fs::write(&segment, whole).expect("writes");
    assert_eq!(held(&open(directory.path()).await.expect("opens")).await, [1]);
}

#[tokio::test]
async fn numbers_that_a_consumer_knows_are_not_given_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let segment = bus_of(directory.path(), 3).await;
    let bus = open(directory.path()).await.expect("opens");
    let mut consumer = bus.consumer(spec()).await.expect("opens");
    for delivery in consumer.fetch(3).await.expect("fetches") {
        delivery.ack().await.expect("acknowledges");
    }
    bus.shutdown().await;
    let (bytes, last) = without_checkpoint(&segment);
    fs::write(&segment, &bytes[..last]).expect("writes");
    let bus = open(directory.path()).await.expect("opens");
    assert_eq!(bus.publish("shop", &event(4)).await.map(|published| published.sequence), Ok(4));
    let mut consumer = bus.consumer(spec()).await.expect("opens");
    let fetched = tokio::time::timeout(PATIENCE, consumer.fetch(1)).await.expect("in time").expect("fetches");
    assert_eq!(fetched[0].sequence, 4);
}

/// A disk that can be told to be full, or to fail its syncs.
struct BadDisk {
    /// How many more bytes it takes.
    room: AtomicU64,
    /// How many syncs fail from now on.
    failing_syncs: AtomicU64,
}

impl BadDisk {
    fn new() -> Arc<Self> {
        Arc::new(Self { room: AtomicU64::new(u64::MAX), failing_syncs: AtomicU64::new(0) })
    }
}

impl Disk for BadDisk {
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let room = self.room.load(Ordering::SeqCst);
        if room < bytes.len() as u64 {
            RealDisk.write(file, &bytes[..room as usize], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        if room != u64::MAX {
            self.room.fetch_sub(bytes.len() as u64, Ordering::SeqCst);
        }
        RealDisk.write(file, bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let failing = self.failing_syncs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if failing.is_ok() {
            return Err(io::Error::other("the disk is on fire"));
        }
        RealDisk.sync(file)
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        RealDisk.cut(file, length)
    }
}

async fn open_on(directory: &TempDir, disk: &Arc<BadDisk>) -> EmbeddedBus {
    let disk: Arc<dyn Disk> = Arc::clone(disk) as _;
    EmbeddedBus::open_on(EmbeddedOptions::new(directory.path()), disk).await.expect("opens")
}

#[tokio::test]
async fn a_full_disk_refuses_and_the_bus_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = BadDisk::new();
    let bus = open_on(&directory, &disk).await;
    bus.publish("shop", &event(1)).await.expect("published");
    for room in 0..100 {
        disk.room.store(room, Ordering::SeqCst);
        let refused = bus.publish("shop", &event(2)).await;
        assert!(matches!(refused, Err(BusError::Unavailable { .. })), "{room}: {refused:?}");
    }
    assert!(bus.status().await.streams[0].problem.is_some());
    disk.room.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(bus.publish("shop", &event(3)).await.map(|published| published.sequence), Ok(2));
    assert_eq!(bus.status().await.streams[0].problem, None);
    assert_eq!(held(&bus).await, [1, 3]);
    bus.shutdown().await;
    assert_eq!(held(&open(directory.path()).await.expect("opens")).await, [1, 3]);
}

#[tokio::test]
async fn after_a_failed_sync_only_what_was_promised_is_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = BadDisk::new();
    let bus = open_on(&directory, &disk).await;
    bus.publish("shop", &event(1)).await.expect("published");
    disk.failing_syncs.store(4, Ordering::SeqCst);
    for _ in 0..4 {
        let refused = bus.publish("shop", &event(2)).await;
        assert!(matches!(refused, Err(BusError::Unavailable { .. })), "{refused:?}");
        assert_eq!(held(&bus).await, [1], "nobody sees what was not promised");
    }
    let published = bus.publish("shop", &event(2)).await.expect("published");
    assert!(!published.duplicate && published.sequence > 1, "{published:?}");
    bus.publish("shop", &event(3)).await.expect("published");
    assert_eq!(held(&bus).await, [1, 2, 3]);
    bus.shutdown().await;
    assert_eq!(held(&open(directory.path()).await.expect("opens")).await, [1, 2, 3]);
}

#[tokio::test]
async fn old_segments_go_only_when_acknowledged_and_old() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = |retain| EmbeddedOptions {
        segment_bytes: 512,
        bytes_max: 16 << 10,
        retain,
        ..EmbeddedOptions::new(directory.path())
    };
    let files = || fs::read_dir(directory.path().join("shop/log")).expect("lists").count();
    let bus = EmbeddedBus::open(options(Duration::from_hours(1))).await.expect("opens");
    let mut consumer = bus.consumer(spec()).await.expect("opens");
    let mut last = 0;
    while bus.publish("shop", &event(last + 1)).await.is_ok() {
        last += 1;
    }
    let all_files = files();
    assert!(all_files > 8, "{all_files}");
    for delivery in consumer.fetch(1000).await.expect("fetches") {
        delivery.ack().await.expect("acknowledges");
    }
    let refused = bus.publish("shop", &event(last + 1)).await;
    assert!(matches!(refused, Err(BusError::Full { .. })), "acknowledged but young: {refused:?}");
    bus.shutdown().await;
    let bus = EmbeddedBus::open(options(Duration::ZERO)).await.expect("opens");
    let published = bus.publish("shop", &event(last + 1)).await.expect("published");
    assert_eq!(published.sequence, last + 1);
    assert!(files() <= 2, "{}", files());
    assert_eq!(held(&bus).await, [last + 1]);
    bus.shutdown().await;
    let bus = EmbeddedBus::open(options(Duration::ZERO)).await.expect("opens");
    assert_eq!(bus.publish("shop", &event(last + 2)).await.map(|published| published.sequence), Ok(last + 2));
}
