//! Units of work: isolation, order, shared commits, and every way in which one can end.

use std::time::Duration;

use hull_invocation::Lineage;
use hull_storage::{SessionOptions, StorageError, Value};

use crate::fixture::{Fixture, On, component, execute, number, on_both, session};

on_both! {
    a_unit_is_seen_whole_after_its_commit_and_not_before,
    a_rolled_back_or_dropped_unit_leaves_nothing,
    an_abandoned_unit_leaves_the_session_usable,
    a_failed_statement_leaves_the_rest_of_its_unit,
    read_then_write_in_units_loses_no_update,
    a_call_back_into_a_component_with_an_open_unit_fails_at_once,
    nobody_waits_for_the_writer_beyond_the_deadline,
    the_queue_is_bounded,
    a_call_that_is_cancelled_ends_its_statement,
}

async fn a_unit_is_seen_whole_after_its_commit_and_not_before(on: On) {
    let fixture = Fixture::new(on);
    fixture.schema("CREATE TABLE t (n INTEGER)").await;
    let (unit, outside) = (fixture.session(), fixture.session());
    unit.begin().expect("begin");
    execute(&unit, "INSERT INTO t VALUES (1)").await.expect("insert");
    unit.set("k".into(), b"v".to_vec()).await.expect("set");
    assert_eq!(number(&unit, "SELECT count(*) FROM t").await, 1, "a unit sees its own writes");
    assert_eq!(unit.get("k".into()).await, Ok(Some(b"v".to_vec())));
    assert_eq!(number(&outside, "SELECT count(*) FROM t").await, 0);
    assert_eq!(outside.get("k".into()).await, Ok(None));
    unit.commit().await.expect("commit");
    assert_eq!(number(&outside, "SELECT count(*) FROM t").await, 1);
    assert_eq!(outside.get("k".into()).await, Ok(Some(b"v".to_vec())));
}

async fn a_rolled_back_or_dropped_unit_leaves_nothing(on: On) {
    let fixture = Fixture::new(on);
    for dropped in [false, true] {
        let unit = fixture.session();
        unit.begin().expect("begin");
        unit.set("k".into(), b"v".to_vec()).await.expect("set");
        if dropped {
            drop(unit);
        } else {
            unit.rollback().await.expect("rollback");
            assert_eq!(unit.rollback().await, Err(StorageError::NotOpen));
        }
        // The writer takes this one only after the unit has ended.
        fixture.session().set("other".into(), Vec::new()).await.expect("set");
        assert_eq!(fixture.session().get("k".into()).await, Ok(None), "dropped: {dropped}");
    }
}

async fn an_abandoned_unit_leaves_the_session_usable(on: On) {
    let fixture = Fixture::new(on);
    let session = fixture.session();
    session.begin().expect("begin");
    assert_eq!(session.begin(), Err(StorageError::AlreadyOpen));
    session.set("k".into(), b"1".to_vec()).await.expect("set");
    session.abandon();
    session.set("other".into(), b"2".to_vec()).await.expect("set");
    assert_eq!(session.get("k".into()).await, Ok(None));
    session.begin().expect("a second unit");
    session.commit().await.expect("an empty unit commits");
    assert_eq!(session.commit().await, Err(StorageError::NotOpen));
}

async fn a_failed_statement_leaves_the_rest_of_its_unit(on: On) {
    let fixture = Fixture::new(on);
    fixture.schema("CREATE TABLE t (n INTEGER PRIMARY KEY)").await;
    let unit = fixture.session();
    unit.begin().expect("begin");
    execute(&unit, "INSERT INTO t VALUES (1)").await.expect("insert");
    let twice = execute(&unit, "INSERT INTO t VALUES (2), (1)").await;
    assert!(matches!(twice, Err(StorageError::Constraint { .. })), "{twice:?}");
    execute(&unit, "INSERT INTO t VALUES (3)").await.expect("insert");
    unit.commit().await.expect("commit");
    assert_eq!(fixture.number("SELECT sum(n) FROM t").await, 4);
}

async fn read_then_write_in_units_loses_no_update(on: On) {
    let fixture = Fixture::new(on);
    fixture.schema("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0)").await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let unit = fixture.session();
            tokio::spawn(async move {
                // On SQLite one writes at a time; elsewhere a conflict has the unit run again.
                loop {
                    unit.begin().expect("begin");
                    let present = number(&unit, "SELECT n FROM t").await;
                    let update = unit.execute("UPDATE t SET n = $1".into(), vec![Value::Integer(present + 1)]).await;
                    let committed = unit.commit().await;
                    match (update, committed) {
                        (Ok(1), Ok(())) => return,
                        (Err(StorageError::Conflict), Err(StorageError::Conflict)) if on == On::Postgres => {}
                        other => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    assert_eq!(fixture.number("SELECT n FROM t").await, 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn units_that_wait_together_share_a_commit() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.batch_wait_max = Duration::from_secs(5));
    let blocker = fixture.session();
    blocker.begin().expect("begin");
    blocker.set("blocker".into(), Vec::new()).await.expect("set");
    let before = fixture.commits().await;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let session = fixture.session();
            tokio::spawn(async move { session.set(format!("k{number}"), Vec::new()).await })
        })
        .collect();
    fixture.waiting(20).await;
    blocker.commit().await.expect("commit");
    for task in tasks {
        task.await.expect("a task").expect("set");
    }
    let after = fixture.commits().await;
    assert_eq!(after - before, 1, "21 units in one transaction");
}

#[tokio::test(flavor = "multi_thread")]
async fn units_do_not_wait_for_one_that_has_written_nothing() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.transaction_time = Duration::from_secs(20));
    let (first, reading) = (fixture.session(), fixture.session());
    first.begin().expect("begin");
    first.set("a".into(), b"1".to_vec()).await.expect("set");
    reading.begin().expect("begin");
    let waiting = tokio::spawn({
        let reading = reading.clone();
        async move { reading.get("a".into()).await }
    });
    fixture.waiting(1).await;
    first.commit().await.expect("commits although the other unit stays open");
    assert_eq!(waiting.await.expect("a task"), Ok(Some(b"1".to_vec())));
    reading.set("b".into(), b"2".to_vec()).await.expect("set");
    reading.commit().await.expect("commit");
}

async fn a_call_back_into_a_component_with_an_open_unit_fails_at_once(on: On) {
    let fixture = Fixture::new(on);
    let root = Lineage::root(component());
    let options = |lineage: &Lineage| SessionOptions {
        frame: lineage.frame().clone(),
        deadline: hull_clock::now() + Duration::from_secs(30),
        event: None,
        expects_reply: false,
    };
    let above = fixture.database.session(options(&root));
    let between = root.call(component().sibling("payments")).expect("a call");
    let below = fixture.database.session(options(&between.call(component()).expect("a call")));
    above.begin().expect("begin");
    below.set("k".into(), Vec::new()).await.expect("the unit has not taken the writer yet");
    above.set("a".into(), Vec::new()).await.expect("set");
    assert_eq!(below.begin(), Err(StorageError::WouldDeadlock));
    assert_eq!(below.set("k".into(), Vec::new()).await, Err(StorageError::WouldDeadlock));
    assert_eq!(below.get("k".into()).await, Err(StorageError::WouldDeadlock));
    above.commit().await.expect("commit");
    below.set("k".into(), Vec::new()).await.expect("the unit above has ended");
}

async fn nobody_waits_for_the_writer_beyond_the_deadline(on: On) {
    let fixture = Fixture::with_limits(on, |limits| {
        limits.transaction_time = Duration::from_secs(20);
        // One connection is what the one writer is elsewhere.
        limits.connections_max = 1;
    });
    let holder = fixture.session();
    holder.begin().expect("begin");
    holder.set("k".into(), Vec::new()).await.expect("set");
    let short = session(&fixture.database, None, Duration::from_millis(50));
    assert!(matches!(short.set("x".into(), Vec::new()).await, Err(StorageError::Timeout(_))));
    let short = session(&fixture.database, None, Duration::from_millis(50));
    short.begin().expect("begin");
    assert!(matches!(short.get("x".into()).await, Err(StorageError::Timeout(_))));
    holder.commit().await.expect("commit");
    let left = fixture.session();
    left.set("last".into(), Vec::new()).await.expect("set");
    assert_eq!(left.get("x".into()).await, Ok(None), "what nobody waited for was not done");
}

async fn the_queue_is_bounded(on: On) {
    let fixture = Fixture::with_limits(on, |limits| {
        limits.queue_length_max = 2;
        limits.connections_max = 1;
        limits.transaction_time = Duration::from_secs(20);
    });
    let holder = fixture.session();
    holder.begin().expect("begin");
    holder.set("k".into(), Vec::new()).await.expect("set");
    let waiting: Vec<_> = (0..2)
        .map(|number| {
            let session = fixture.session();
            tokio::spawn(async move { session.set(format!("w{number}"), Vec::new()).await })
        })
        .collect();
    fixture.waiting(2).await;
    let refused = fixture.session().set("x".into(), Vec::new()).await;
    assert!(matches!(refused, Err(StorageError::Overloaded { waiting: 2, .. })), "{refused:?}");
    holder.commit().await.expect("commit");
    for task in waiting {
        task.await.expect("a task").expect("set");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_undoes_everything_harms_only_its_own_unit() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.batch_wait_max = Duration::from_secs(5));
    fixture.schema("CREATE TABLE t (n INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let blocker = fixture.session();
    blocker.begin().expect("begin");
    blocker.set("blocker".into(), Vec::new()).await.expect("set");
    let mut tasks = Vec::new();
    for waiting in 0..6 {
        let session = fixture.session();
        tasks.push(tokio::spawn(async move {
            if waiting == 3 {
                return execute(&session, "INSERT OR ROLLBACK INTO t VALUES (1)").await.map(drop);
            }
            session.increment("n".into(), 1).await.map(drop)
        }));
        fixture.waiting(waiting + 1).await;
    }
    // The blocker shared the transaction that was undone: it is told to run again.
    assert_eq!(blocker.commit().await, Err(StorageError::Conflict));
    for (index, task) in tasks.into_iter().enumerate() {
        let result = task.await.expect("a task");
        if index == 3 {
            assert!(matches!(result, Err(StorageError::Constraint { .. })), "{result:?}");
        } else {
            assert_eq!(result, Ok(()));
        }
    }
    assert_eq!(fixture.session().get("n".into()).await, Ok(Some(b"5".to_vec())), "each once, although run again");
    assert_eq!(fixture.session().get("blocker".into()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_that_are_checked_at_the_commit_fail_their_own_unit() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.batch_wait_max = Duration::from_secs(5));
    fixture
        .schema(
            "CREATE TABLE p (id INTEGER PRIMARY KEY);
             CREATE TABLE c (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await;
    let good = fixture.session();
    good.begin().expect("begin");
    execute(&good, "INSERT INTO c VALUES (7)").await.expect("the parent may come later");
    let bad = tokio::spawn({
        let bad = fixture.session();
        async move { execute(&bad, "INSERT INTO c VALUES (8)").await }
    });
    fixture.waiting(1).await;
    execute(&good, "INSERT INTO p VALUES (7)").await.expect("insert");
    good.commit().await.expect("commit");
    let refused = bad.await.expect("a task");
    assert!(matches!(refused, Err(StorageError::Constraint { .. })), "{refused:?}");
    assert_eq!(fixture.number("SELECT count(*) FROM c").await, 1);
}

async fn a_call_that_is_cancelled_ends_its_statement(on: On) {
    let fixture = Fixture::with_limits(on, |limits| {
        limits.statement_time = Duration::from_mins(1);
        limits.transaction_time = Duration::from_mins(1);
    });
    fixture.schema("CREATE TABLE t (n INTEGER)").await;
    let session = fixture.session();
    session.begin().expect("begin");
    session.set("k".into(), Vec::new()).await.expect("set");
    let endless = "INSERT INTO t WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c \
                   WHERE n < 0";
    let task = tokio::spawn(async move { execute(&session, endless).await });
    tokio::task::yield_now().await;
    task.abort();
    assert!(task.await.expect_err("cancelled").is_cancelled());
    fixture.session().set("free".into(), Vec::new()).await.expect("the writer is free again");
    assert_eq!(fixture.session().get("k".into()).await, Ok(None));
}
