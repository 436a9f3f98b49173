//! Several hosts with one PostgreSQL database: each event is handled once, and one of them relays.

use hull_invocation::{ComponentId, Lineage};
use hull_storage::{Database, DatabaseOptions, Finished, PostgresServer, SessionOptions, StorageError, Value};

use crate::fixture::{
    Fixture, On, as_superuser, component, event, execute, migration, number, open_postgres, outgoing, postgres_url,
    session, until,
};
use crate::postgres::Server;

/// Two hosts' handles on the same component.
fn two_hosts() -> (Database, Database) {
    let url = postgres_url();
    (open_postgres(&url, |_| {}), open_postgres(&url, |_| {}))
}

fn of(database: &Database) -> hull_storage::Session {
    session(database, None, std::time::Duration::from_secs(30))
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_start_at_once_make_one_schema_and_run_each_migration_once() {
    let (one, other) = two_hosts();
    let all = [migration(1, "CREATE TABLE t (n INTEGER)"), migration(2, "INSERT INTO t VALUES (1)")];
    let (first, second) = tokio::join!(one.migrate(&all), other.migrate(&all));
    first.expect("migrate");
    second.expect("migrate");
    assert_eq!(number(&of(&one), "SELECT count(*) FROM t").await, 1);
    of(&one).set("k".into(), b"v".to_vec()).await.expect("set");
    assert_eq!(of(&other).get("k".into()).await, Ok(Some(b"v".to_vec())));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_both_are_given_has_its_effect_once() {
    let (one, other) = two_hosts();
    one.migrate(&[migration(1, "CREATE TABLE t (id TEXT)")]).await.expect("migrate");
    for round in 0..20 {
        let delivered = event(&format!("e{round}"));
        let handle = async |database: &Database| {
            // As whoever delivers events does: a conflict has it handled again.
            loop {
                let identity = hull_storage::EventIdentity::of(&delivered);
                let handler = session(database, Some(identity), std::time::Duration::from_secs(30));
                let row = vec![Value::Text(format!("e{round}"))];
                let ran = handler.execute("INSERT INTO t VALUES ($1)".into(), row).await.map(drop);
                let published = handler.publish(outgoing(&format!("o{round}"))).await;
                match ran.and(published).and(handler.finish_event().await) {
                    Err(StorageError::Conflict) => {}
                    finished => return finished.expect("finish"),
                }
            }
        };
        let (first, second) = tokio::join!(handle(&one), handle(&other));
        let committed = [first, second].into_iter().filter(|finished| *finished == Finished::Committed).count();
        assert_eq!(committed, 1, "round {round}");
    }
    assert_eq!(number(&of(&one), "SELECT count(*) FROM t").await, 20);
    assert_eq!(one.statistics().await.expect("statistics").outbox_rows, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_them_relays_and_the_other_takes_over() {
    let (one, other) = two_hosts();
    let unit = of(&one);
    unit.begin().expect("begin");
    unit.publish(outgoing("a")).await.expect("publish");
    unit.commit().await.expect("commit");
    assert_eq!(one.outbox().next(10, 0).await.expect("rows").len(), 1);
    assert_eq!(other.outbox().next(10, 0).await, Ok(Vec::new()), "it is the other's");

    let publishing = tokio::spawn({
        let session = of(&other);
        async move { session.publish(outgoing("b")).await }
    });
    until(async || one.outbox().next(10, 0).await.expect("rows").len() == 2).await;
    let rows = one.outbox().next(10, 0).await.expect("rows");
    one.outbox().published(&rows.iter().map(|row| row.seq).collect::<Vec<_>>()).await.expect("published");
    until(async || {
        other.outbox().next(10, 0).await.expect("a look");
        publishing.is_finished()
    })
    .await;
    assert_eq!(publishing.await.expect("a task"), Ok(()), "who waits here is told of what was published there");

    one.close().await;
    of(&other).set("k".into(), Vec::new()).await.expect("set");
    let unit = of(&other);
    unit.begin().expect("begin");
    unit.publish(outgoing("c")).await.expect("publish");
    unit.commit().await.expect("commit");
    until(async || other.outbox().next(10, 0).await.expect("rows").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_bus_of_its_own_has_the_data_for_itself() {
    let url = postgres_url();
    let open = |is_alone: bool| {
        let server = PostgresServer::new(&url, 8).expect("a URL");
        let server = if is_alone { server.for_one_host() } else { server };
        Database::on_postgres(&server, DatabaseOptions::new(ComponentId::new("shop", "orders")))
    };
    let (alone, beside, shared, other) = (open(true), open(true), open(false), open(false));
    alone.claim().await.expect("nobody else is there");
    alone.claim().await.expect("its own, still");
    for refused in [&beside, &shared] {
        let error = refused.claim().await.expect_err("it is another's").to_string();
        assert!(error.contains("shop/orders") && error.contains("backend = \"nats\""), "{error}");
    }
    alone.close().await;
    shared.claim().await.expect("the one that was alone is gone");
    shared.outbox().next(1, 0).await.expect("a look");
    other.claim().await.expect("hosts that share a bus share the data");
    let error = beside.claim().await.expect_err("others are there").to_string();
    assert!(error.contains("this host's bus"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_keeps_what_was_answered_and_serves_again() {
    let mut server = Server::start();
    let database = open_postgres(&server.database("killed"), |_| {});
    database.migrate(&[migration(1, "CREATE TABLE t (n BIGINT)")]).await.expect("migrate");
    let mut answered = 0;
    for _ in 0..3 {
        for _ in 0..20 {
            let unit = of(&database);
            unit.begin().expect("begin");
            execute(&unit, "INSERT INTO t VALUES (1)").await.expect("insert");
            unit.publish(outgoing("a")).await.expect("publish");
            unit.commit().await.expect("commit");
            answered += 1;
        }
        let open = of(&database);
        open.begin().expect("begin");
        execute(&open, "INSERT INTO t VALUES (1)").await.expect("insert");
        server.kill();
        assert!(of(&database).get("k".into()).await.is_err(), "there is no server");
        assert!(open.commit().await.is_err());
        server.restart();
        until(async || of(&database).get("k".into()).await.is_ok()).await;
        assert_eq!(number(&of(&database), "SELECT count(*) FROM t").await, answered);
        assert_eq!(database.statistics().await.expect("statistics").outbox_rows, answered as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_given_out_again_after_a_crash_is_not_taken_for_a_commit() {
    let mut server = Server::start();
    let database = open_postgres(&server.database("again"), |options| {
        options.limits.transaction_time = std::time::Duration::from_secs(60);
    });
    database.migrate(&[migration(1, "CREATE TABLE t (n BIGINT)")]).await.expect("migrate");
    // Nothing of an open transaction is written before the crash.
    server.sql("again", "ALTER SYSTEM SET wal_writer_delay = '10s'");
    server.sql("again", "SELECT pg_reload_conf()");
    of(&database).set("k".into(), b"before".to_vec()).await.expect("set");
    let delivered = hull_storage::EventIdentity::of(&event("e"));
    let handler = session(&database, Some(delivered.clone()), std::time::Duration::from_secs(60));
    execute(&handler, "INSERT INTO t VALUES (1)").await.expect("insert");
    let unit = of(&database);
    unit.begin().expect("begin");
    execute(&unit, "INSERT INTO t VALUES (1)").await.expect("insert");
    let before = server_number(&server);
    server.kill();
    server.restart();
    until(async || of(&database).set("k".into(), b"after".to_vec()).await.is_ok()).await;
    while server_number(&server) <= before + 2 {
        of(&database).set("k".into(), b"after".to_vec()).await.expect("set");
    }
    assert!(handler.finish_event().await.is_err(), "what it did is gone");
    assert!(unit.commit().await.is_err(), "what it did is gone");
    assert_eq!(number_of_rows(&database).await, 0);
    assert_eq!(database.ledger().state(&delivered).await.expect("a look").handled, None, "so that it comes again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_commit_is_called_undone_only_where_that_is_known() {
    let fixture = Fixture::new(On::Postgres);
    fixture.schema("CREATE TABLE t (n BIGINT)").await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE usename LIKE 'hull/%' AND datname = current_database()";
    for (expects_reply, said) in [(false, "may have been committed"), (true, "was lost before the commit")] {
        let frame = Lineage::root(component()).frame().clone();
        let deadline = hull_clock::now() + std::time::Duration::from_secs(30);
        let event = Some(hull_storage::EventIdentity::of(&event("e")));
        let handler = fixture.database.session(SessionOptions { frame, deadline, event, expects_reply });
        execute(&handler, "INSERT INTO t VALUES (1)").await.expect("insert");
        as_superuser(fixture.url(), cut);
        let error = handler.finish_event().await.expect_err("the connection is gone").to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(number_of_rows(&fixture.database).await, 0);
}

/// The number of the next transaction.
fn server_number(server: &Server) -> u64 {
    server.sql("again", "SELECT pg_snapshot_xmax(pg_current_snapshot())").parse().expect("a number")
}

async fn number_of_rows(database: &Database) -> i64 {
    number(&of(database), "SELECT count(*) FROM t").await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_units_than_connections_wait_their_turn() {
    let fixture = Fixture::with_limits(On::Postgres, |limits| limits.connections_max = 3);
    fixture.schema("CREATE TABLE t (n INTEGER)").await;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let unit = fixture.session();
            tokio::spawn(async move {
                unit.begin().expect("begin");
                execute(&unit, "INSERT INTO t VALUES (1)").await.expect("insert");
                unit.commit().await.expect("commit");
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 40);
    let connections =
        "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'hull/%' AND datname = current_database()";
    let open: u32 = crate::fixture::as_superuser(fixture.url(), connections).parse().expect("a number");
    assert!((1..=3).contains(&open), "{open} connections");
}
