//! Files: opened again, damaged, of others, idle, closed.

use std::time::Duration;

use hull_storage::StorageError;

use crate::fixture::{Fixture, On, open, outgoing, session, until};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_opening_again() {
    let fixture = Fixture::new(On::Sqlite);
    fixture.schema("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (4)").await;
    fixture.session().set("k".into(), b"v".to_vec()).await.expect("set");
    let unit = fixture.session();
    unit.begin().expect("begin");
    unit.publish(outgoing("a")).await.expect("publish");
    unit.commit().await.expect("commit");
    fixture.database.close().await;
    let closed = fixture.session().set("k".into(), Vec::new()).await;
    assert!(matches!(closed, Err(StorageError::Closed(_))), "{closed:?}");
    let beside = fixture.folder.path().join("data.db-wal");
    assert!(!beside.exists(), "the log was merged when the file was closed");

    let again = open(fixture.folder.path(), |_| {});
    let reading = session(&again, None, Duration::from_secs(30));
    assert_eq!(reading.get("k".into()).await, Ok(Some(b"v".to_vec())));
    assert_eq!(crate::fixture::number(&reading, "SELECT n FROM t").await, 4);
    assert_eq!(again.outbox().next(10, 0).await.expect("rows").len(), 1);
    again.check().await.expect("nothing is damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_database_has_no_thread_and_comes_back() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.idle_time = Duration::from_millis(20));
    let wal = fixture.folder.path().join("data.db-wal");
    for round in 0..3 {
        fixture.session().set("k".into(), vec![round]).await.expect("set");
        until(async || !wal.exists()).await;
        assert_eq!(fixture.session().get("k".into()).await, Ok(Some(vec![round])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_named_and_left_as_it_is() {
    let foreign = {
        let folder = tempfile::tempdir().expect("a folder");
        let fixture = Fixture::new(On::Sqlite);
        fixture.session().set("k".into(), Vec::new()).await.expect("set");
        fixture.database.close().await;
        let mut bytes = std::fs::read(fixture.file()).expect("read");
        bytes[68..72].copy_from_slice(&7_u32.to_be_bytes());
        drop(folder);
        bytes
    };
    let mut later = foreign.clone();
    later[68..72].copy_from_slice(b"Hull");
    later[60..64].copy_from_slice(&99_u32.to_be_bytes());
    for (what, bytes) in [
        ("not an SQLite database", b"some text".to_vec()),
        ("not an SQLite database", vec![0; 4096]),
        ("another program", foreign),
        ("later version", later),
    ] {
        let fixture = Fixture::new(On::Sqlite);
        std::fs::write(fixture.file(), &bytes).expect("write");
        for result in [
            fixture.session().set("k".into(), Vec::new()).await,
            fixture.session().get("k".into()).await.map(drop),
            fixture.database.migrate(&[]).await.map(drop),
        ] {
            match result {
                Err(StorageError::Corrupt { file, message }) => {
                    assert_eq!(file, fixture.file());
                    assert!(message.contains(what), "{message}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        assert_eq!(std::fs::read(fixture.file()).expect("read"), bytes, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_reported_as_such() {
    let fixture = Fixture::new(On::Sqlite);
    let values = (0..200).map(|key| (format!("{key}"), vec![1; 2000])).collect();
    fixture.session().set_many(values).await.expect("set");
    fixture.database.close().await;
    let mut bytes = std::fs::read(fixture.file()).expect("read");
    for page in 10..80 {
        bytes[page * 4096..page * 4096 + 200].fill(0xff);
    }
    std::fs::write(fixture.file(), bytes).expect("write");
    let again = open(fixture.folder.path(), |_| {});
    let check = again.check().await;
    assert!(matches!(check, Err(StorageError::Corrupt { .. })), "{check:?}");
    let reading = session(&again, None, Duration::from_secs(30));
    let keys = (0..200).map(|key| format!("{key}")).collect();
    let read = reading.get_many(keys).await;
    assert!(matches!(read, Err(StorageError::Corrupt { .. })), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_place_of_the_file_is_not_followed() {
    let fixture = Fixture::new(On::Sqlite);
    let other = Fixture::new(On::Sqlite);
    other.session().set("k".into(), b"theirs".to_vec()).await.expect("set");
    other.database.close().await;
    std::os::unix::fs::symlink(other.file(), fixture.file()).expect("a link");
    let refused = fixture.session().get("k".into()).await;
    assert!(refused.is_err(), "{refused:?}");
}
