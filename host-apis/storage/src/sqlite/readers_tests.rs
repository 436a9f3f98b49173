//! What a read on the thread that asks never does there: wait for another connection, or close the last one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hull_invocation::ComponentId;
use tempfile::TempDir;

use super::{Cancel, Connection, Glanced, Read, Shared, glance, read_now};
use crate::operation::{Operation as _, ReadOnly};
use crate::options::StorageLimits;
use crate::sqlite::{Get, Place, Query};
use crate::state_dir::ComponentDir;

const VALUE: &[u8] = b"1";

/// A database with one key, whose writer is at work.
fn database() -> (TempDir, Arc<Shared>, Connection) {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = ComponentDir::unowned(folder.path()).expect("a folder");
    let place = Place {
        component: ComponentId::new("shop", "orders"),
        file: folder.path().join("data.db"),
        _directory: directory,
        meter: None,
        rejected: None,
        sabotage: None,
    };
    let limits = StorageLimits::default();
    let shared = Arc::new(Shared::new(place, limits.clone()));
    let writer = Connection::writer(&shared.place, &limits).expect("a writer");
    let insert = "INSERT INTO hull_kv (store, key, value) VALUES ('default', 'a', ?1)";
    writer.raw.execute(insert, [VALUE]).expect("a value");
    shared.open.store(true, Ordering::Release);
    (folder, shared, writer)
}

fn get() -> Get {
    Get("a".to_owned())
}

fn soon() -> Instant {
    hull_clock::now() + Duration::from_secs(30)
}

/// Have a reader that knows the schema.
fn read_elsewhere(shared: &Arc<Shared>) {
    let read = read_now(shared, get(), Some(soon()), &Cancel::default());
    assert!(matches!(read, Read::Done(Ok(Some(value))) if value == VALUE));
}

#[tokio::test]
async fn it_does_not_wait_while_another_connection_has_the_file() {
    let (_folder, shared, writer) = database();
    // With a rollback journal a connection that writes keeps all others out.
    writer.raw.pragma_update(None, "journal_mode", "DELETE").expect("a journal");
    read_elsewhere(&shared);
    writer.raw.execute_batch("BEGIN EXCLUSIVE").expect("begun");
    let began = hull_clock::now();
    assert!(
        matches!(glance(&shared, get(), Some(soon())), Glanced::NotSeen(_)),
        "it is read where waiting keeps nobody"
    );
    assert!(hull_clock::now() < began + Duration::from_secs(4), "others would have waited for 5 s");
    writer.raw.execute_batch("ROLLBACK").expect("rolled back");
    read_elsewhere(&shared);
}

#[tokio::test]
async fn a_run_without_effect_reads_as_quickly() {
    let (_folder, shared, _writer) = database();
    read_elsewhere(&shared);
    let seen = glance(&shared, ReadOnly { operation: get(), meter: None }, Some(soon()));
    assert!(matches!(seen, Glanced::Seen(Read::Done(Ok(Some(value)))) if value == VALUE));
    let operation = Query { sql: "SELECT 1".to_owned(), parameters: Vec::new() };
    assert_eq!(ReadOnly { operation, meter: None }.text(), Some("SELECT 1"));
}

#[test]
fn the_last_connection_is_closed_on_another_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let (_folder, shared, writer) = database();
        read_elsewhere(&shared);
        let log = shared.place.file.with_extension("db-wal");
        shared.open.store(false, Ordering::Release);
        drop(writer);
        let (done, wait) = std::sync::mpsc::channel();
        let other = tokio::task::spawn_blocking(move || wait.recv());
        assert!(matches!(glance(&shared, get(), Some(soon())), Glanced::Seen(Read::Done(Ok(Some(_))))));
        assert!(log.exists(), "closing the file brings the log into it");
        done.send(()).expect("it waits");
        other.await.expect("the thread").expect("a word");
        tokio::task::spawn_blocking(|| ()).await.expect("what was there before is done");
        assert!(!log.exists(), "it was closed after all");
    });
}
