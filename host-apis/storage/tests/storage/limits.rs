//! Every bound: what reaches it works, what passes it gets the error that names it, and the database goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hull_storage::{MeteredWork, StatementMeter, StorageError, Value};

use crate::fixture::{Fixture, On, execute, on_both, open, outgoing, session};

on_both! {
    rows_are_bounded,
    events_have_a_bound_of_their_own,
    the_deadline_ends_statements_too,
}

const COUNT_TO: &str = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < $1) SELECT n FROM c";

async fn rows_are_bounded(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.rows_max = 100);
    let session = fixture.session();
    let result = session.query(COUNT_TO.into(), vec![Value::Integer(100)]).await.expect("at the bound");
    assert_eq!(result.rows.len(), 100);
    let refused = session.query(COUNT_TO.into(), vec![Value::Integer(101)]).await;
    assert_eq!(refused, Err(StorageError::TooManyRows { limit: 100 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_a_result_are_bounded() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.result_bytes_max = 100_000);
    let session = fixture.session();
    let sql = "SELECT zeroblob($1)";
    session.query(sql.into(), vec![Value::Integer(90_000)]).await.expect("below the bound");
    let refused = session.query(sql.into(), vec![Value::Integer(110_000)]).await;
    assert_eq!(refused, Err(StorageError::ResultTooLarge { limit_bytes: 100_000 }));
    session.set_many((0..3).map(|key| (format!("{key}"), vec![0; 40_000])).collect()).await.expect("set");
    let keys = |count| (0..count).map(|key| format!("{key}")).collect();
    assert_eq!(session.get_many(keys(2)).await.expect("below").len(), 2);
    assert_eq!(session.get_many(keys(3)).await, Err(StorageError::ResultTooLarge { limit_bytes: 100_000 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_has_few_enough_columns_for_their_sum_to_be_bounded() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    let of = |columns| format!("SELECT {}", vec!["randomblob(400000)"; columns].join(", "));
    assert_eq!(session.query(of(40), Vec::new()).await.map(|result| result.rows.len()), Ok(1), "16 MB");
    let large = session.query(of(100), Vec::new()).await;
    assert_eq!(large, Err(StorageError::ResultTooLarge { limit_bytes: 16 << 20 }));
    let many = session.query(of(101), Vec::new()).await;
    assert!(matches!(&many, Err(StorageError::Invalid(text)) if text.contains("columns")), "{many:?}");
    let nested = format!("SELECT length(max({}))", vec!["randomblob(1000)"; 101].join(", "));
    let many = session.query(nested, Vec::new()).await;
    assert!(matches!(&many, Err(StorageError::Invalid(text)) if text.contains("arguments")), "{many:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_bounded_in_sql_too() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.value_bytes_max = 10_000);
    fixture.schema("CREATE TABLE t (v)").await;
    let session = fixture.session();
    let insert = async |size| {
        let blob = vec![Value::Blob(vec![0; size])];
        session.execute("INSERT INTO t VALUES ($1)".into(), blob).await
    };
    assert_eq!(insert(10_000).await, Ok(1));
    assert!(matches!(insert(10_001).await, Err(StorageError::Invalid(text)) if text.contains("value-max")));
    let made = execute(&session, "INSERT INTO t VALUES (zeroblob(100000000))").await;
    assert!(matches!(&made, Err(StorageError::Invalid(text)) if text.contains("value-max")), "{made:?}");
}

async fn events_have_a_bound_of_their_own(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.value_bytes_max = 1000);
    let unit = fixture.session();
    unit.begin().expect("begin");
    execute(&unit, "SELECT 1").await.expect_err("a guest's statement, with the guest's bound");
    let large = hull_storage::OutgoingEvent { payload: vec![7; 1 << 20].into(), ..outgoing("large") };
    unit.publish(large.clone()).await.expect("publish");
    unit.commit().await.expect("commit");
    let rows = fixture.database.outbox().next(10, 0).await.expect("rows");
    assert_eq!(rows[0].event, large);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_overlap_do_not_let_the_log_grow_without_end() {
    let fixture = Fixture::new(On::Sqlite);
    fixture.schema("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)").await;
    let reading = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT c.n + 1 FROM c) SELECT count(*) FROM c, t";
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let database = fixture.database.clone();
            tokio::spawn(async move {
                loop {
                    let brief = session(&database, None, Duration::from_millis(150));
                    let ended = brief.query(reading.into(), Vec::new()).await;
                    assert!(matches!(ended, Err(StorageError::Timeout(_))), "{ended:?}");
                }
            })
        })
        .collect();
    let log = fixture.folder.path().join("data.db-wal");
    let (session, mut largest) = (fixture.session(), 0);
    for round in 0..60_u8 {
        session.set("k".into(), vec![round; 1 << 20]).await.expect("set");
        largest = largest.max(std::fs::metadata(&log).map_or(0, |metadata| metadata.len()));
    }
    assert!(readers.iter().all(|reader| !reader.is_finished()));
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(largest <= 40 << 20, "{largest} bytes for 60 MiB written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_runs_too_long_is_ended() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.statement_time = Duration::from_millis(750));
    fixture.schema("CREATE TABLE t (n INTEGER)").await;
    let session = fixture.session();
    let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c";
    let read = session.query(endless.into(), Vec::new()).await;
    assert!(matches!(&read, Err(StorageError::Timeout(text)) if text.contains("statement.time")), "{read:?}");
    let write = execute(&session, &format!("INSERT INTO t {endless}")).await;
    assert!(matches!(&write, Err(StorageError::Timeout(text)) if text.contains("statement.time")), "{write:?}");

    session.begin().expect("begin");
    execute(&session, "INSERT INTO t VALUES (1)").await.expect("insert");
    let read = session.query(endless.into(), Vec::new()).await;
    assert!(matches!(read, Err(StorageError::Timeout(_))), "{read:?}");
    execute(&session, "INSERT INTO t VALUES (2)").await.expect("a read that was ended undoes nothing");
    session.commit().await.expect("commit");
    assert_eq!(fixture.number("SELECT sum(n) FROM t").await, 3);

    session.begin().expect("begin");
    execute(&session, "INSERT INTO t VALUES (4)").await.expect("insert");
    let write = execute(&session, &format!("INSERT INTO t {endless}")).await;
    assert!(matches!(write, Err(StorageError::Timeout(_))), "{write:?}");
    let after = session.commit().await;
    assert!(matches!(after, Err(StorageError::Expired(_))), "SQLite undoes all when a write is ended: {after:?}");
    assert_eq!(fixture.number("SELECT sum(n) FROM t").await, 3);
}

async fn the_deadline_ends_statements_too(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.statement_time = Duration::from_mins(1));
    let short = session(&fixture.database, None, Duration::from_millis(50));
    let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n FROM c) SELECT count(*) FROM c";
    let read = short.query(endless.into(), Vec::new()).await;
    assert!(matches!(&read, Err(StorageError::Timeout(text)) if text.contains("deadline")), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_can_change_while_the_file_is_open() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    session.set("k".into(), vec![0; 2000]).await.expect("set");
    let mut limits = fixture.database.limits();
    limits.value_bytes_max = 1000;
    fixture.database.set_limits(limits.clone());
    assert!(matches!(session.set("k".into(), vec![0; 2000]).await, Err(StorageError::Invalid(_))));
    limits.storage_bytes = 4096;
    fixture.database.set_limits(limits);
    let full = session.set_many((0..500).map(|key| (format!("{key}"), vec![0; 1000])).collect()).await;
    assert!(matches!(full, Err(StorageError::QuotaExceeded { limit_bytes: 4096, .. })), "{full:?}");
}

#[derive(Default)]
struct Seen {
    begun: AtomicUsize,
    steps: AtomicUsize,
    ended: AtomicUsize,
    may_glance: AtomicBool,
}

struct Meter(Arc<Seen>);

struct Work(Arc<Seen>);

impl StatementMeter for Meter {
    fn begin(&self) -> Box<dyn MeteredWork> {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Box::new(Work(Arc::clone(&self.0)))
    }

    fn may_glance(&self) -> bool {
        self.0.may_glance.load(Ordering::Relaxed)
    }
}

impl MeteredWork for Work {
    fn step(&mut self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meter_sees_the_beginning_the_steps_and_the_end() {
    let seen = Arc::new(Seen::default());
    let fixture = Fixture::with_options(On::Sqlite, |options| {
        options.meter = Some(Arc::new(Meter(Arc::clone(&seen))));
        options.limits.statement_time = Duration::from_secs(1);
    });
    let session = fixture.session();
    let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c";
    let ended = session.query(endless.into(), Vec::new()).await;
    assert!(matches!(ended, Err(StorageError::Timeout(_))), "{ended:?}");
    session.set("k".into(), b"v".to_vec()).await.expect("set");
    assert!(seen.steps.load(Ordering::Relaxed) > 100);
    let begun = seen.begun.load(Ordering::Relaxed);
    assert!(begun >= 2, "a query and a write are two");
    assert_eq!(begun, seen.ended.load(Ordering::Relaxed), "what begins ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_reads_run_where_they_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = Arc::new(Seen::default());
    let database = open(folder.path(), |options| options.meter = Some(Arc::new(Meter(Arc::clone(&steps)))));
    let session = session(&database, None, Duration::from_mins(1));
    session.set("k".into(), b"v".to_vec()).await.expect("set");
    let begun = || steps.begun.load(Ordering::Relaxed);
    let get = async || assert_eq!(session.get("k".into()).await, Ok(Some(b"v".to_vec())));
    for reads in 1..4 {
        let before = begun();
        get().await;
        assert_eq!(begun(), before + 1, "read {reads} is handed over: the meter says so");
    }
    steps.may_glance.store(true, Ordering::Relaxed);
    let before = begun();
    for _ in 0..100 {
        get().await;
    }
    assert_eq!(begun(), before);
    let answer = session.query("SELECT 1".into(), Vec::new()).await.expect("an answer");
    assert_eq!(answer.rows, vec![vec![Value::Integer(1)]]);
    assert_eq!(begun(), before + 1, "what a guest has written may take as long as it likes over one row");
}
