//! What keeps a guest inside its own schema of a PostgreSQL database: rights, not words, and what it may not leave behind.

use std::sync::Arc;
use std::time::Duration;

use hull_invocation::{ComponentId, Lineage, Player, Tape};
use hull_storage::{Database, DatabaseOptions, PostgresServer, SessionOptions, StorageError, Value};

use crate::fixture::{Fixture, On, as_superuser, component, event, execute, number, one_of_each_type, session};

/// The URL's database, as another component of the same host.
fn neighbour(fixture: &Fixture) -> Database {
    let server = PostgresServer::new(fixture.url(), 8).expect("a URL");
    Database::on_postgres(&server, DatabaseOptions::new(ComponentId::new("shop", "payments")))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_out_of_the_components_own_schema() {
    let fixture = Fixture::new(On::Postgres);
    let other = neighbour(&fixture);
    other.migrate(&[crate::fixture::migration(1, "CREATE TABLE secret (n INTEGER)")]).await.expect("migrate");
    fixture
        .schema(
            "CREATE TABLE t (n INTEGER);
             CREATE FUNCTION as_host() RETURNS text LANGUAGE plpgsql AS $$
             BEGIN PERFORM set_config('role', 'hull', false); RETURN current_user; END $$;
             CREATE FUNCTION drops() RETURNS void LANGUAGE plpgsql AS $$
             BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'DROP TABLE \"hull/shop/orders\".hull_kv'; END $$",
        )
        .await;
    let session = fixture.session();
    session.set("secret".into(), b"kept".to_vec()).await.expect("set");
    for sql in [
        "SELECT * FROM \"shop/payments\".secret",
        "INSERT INTO \"shop/payments\".secret VALUES (1)",
        "SELECT * FROM \"hull/shop/orders\".hull_kv",
        "DELETE FROM \"hull/shop/orders\".hull_handled",
        "SELECT \"hull/shop/orders\".hull_get('guessed', 'secret')",
        "SELECT * FROM \"hull/shop/orders\".hull_publish('guessed', '{0}', '{a}', '{b}', '{c}', '{d}', '{e}')",
        "SELECT * FROM hull.components",
        "SELECT as_host()",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT drops()",
        "CREATE TABLE public.t (n INTEGER)",
        "CREATE SCHEMA mine",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT 1 INTO TEMP x",
        "DO $$ BEGIN EXECUTE 'COPY t FROM PROGRAM ''id'''; END $$",
        "DO $$ BEGIN EXECUTE 'CREATE ROLE x'; END $$",
        "DO $$ BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; END $$",
        "BEGIN",
        "COMMIT",
        "/* x */ ROLLBACK",
        "SAVEPOINT a",
        "SET ROLE hull",
        "RESET ROLE",
        "SET SESSION AUTHORIZATION hull",
        "GRANT SELECT ON t TO PUBLIC",
        "COPY t TO STDOUT",
        "ALTER ROLE CURRENT_USER PASSWORD 'x'",
        "LISTEN x",
        "CREATE TEMP TABLE x (n INTEGER)",
        "VACUUM t",
    ] {
        for unit in [false, true] {
            if unit {
                session.begin().expect("begin");
                session.set("in-unit".into(), Vec::new()).await.expect("set");
            }
            for result in
                [session.query(sql.into(), Vec::new()).await.map(drop), execute(&session, sql).await.map(drop)]
            {
                let refused = matches!(result, Err(StorageError::Denied(_) | StorageError::Invalid(_)));
                assert!(refused, "unit {unit}: {sql}: {result:?}");
            }
            if unit {
                session.rollback().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
    }
    assert_eq!(session.get("secret".into()).await, Ok(Some(b"kept".to_vec())));
    assert_eq!(session.get("in-unit".into()).await, Ok(None));
    let role = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication FROM pg_roles \
                WHERE rolname = 'hull/' || current_database() || '/shop/orders'";
    assert_eq!(as_superuser(fixture.url(), role), "f");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_leaves_behind_does_not_reach_the_next_invocation() {
    let fixture = Fixture::with_limits(On::Postgres, |limits| limits.connections_max = 1);
    fixture
        .schema(
            "CREATE TABLE t (n INTEGER);
             CREATE FUNCTION meddle() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
             PERFORM pg_advisory_lock(7); PERFORM set_config('search_path', 'nowhere', false);
             RETURN set_config('statement_timeout', '1ms', false); END $$",
        )
        .await;
    for unit in [false, true] {
        let session = fixture.session();
        if unit {
            session.begin().expect("begin");
        }
        session.query("SELECT meddle()".into(), Vec::new()).await.expect("it may");
        if unit {
            session.commit().await.expect("commit");
        }
        assert_eq!(fixture.number("SELECT count(*) FROM t, pg_sleep(0.01)").await, 0, "unit: {unit}");
        let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
        assert_eq!(as_superuser(fixture.url(), locks), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_in_and_comes_out() {
    let fixture = Fixture::new(On::Postgres);
    let session = fixture.session();
    let values = one_of_each_type();
    let sql = "SELECT $1::text AS a, $2::boolean AS b, $3::bigint, $4::float8, $5, $6::bytea";
    let result = session.query(sql.into(), values.clone()).await.expect("query");
    assert_eq!(result.columns[..2], ["a".to_owned(), "b".to_owned()]);
    assert_eq!(result.rows, [values]);
    let text = |text: &str| Value::Text(text.into());
    for (sql, parameter, expected) in [
        ("SELECT $1::timestamptz", text("2026-02-28T23:59:59.5+01:00"), text("2026-02-28T22:59:59.500000Z")),
        ("SELECT $1::date", text("2000-02-29"), text("2000-02-29")),
        ("SELECT $1::numeric(20, 4)", text("-12345.6789"), text("-12345.6789")),
        (
            "SELECT sum(n * $1::bigint) FROM generate_series(1, 4) AS s (n)",
            Value::Integer(1_000_000_000_000),
            Value::Integer(10_000_000_000_000),
        ),
        ("SELECT sum(n::bigint) + $1 FROM generate_series(1, 4) AS s (n)", Value::Integer(0), Value::Integer(10)),
        ("SELECT $1::uuid", text("019b8d63-d088-7aae-8c86-152462a3f5b7"), text("019b8d63-d088-7aae-8c86-152462a3f5b7")),
        ("SELECT $1::jsonb", text("{\"a\": [1]}"), text("{\"a\": [1]}")),
        ("SELECT $1::int", Value::Boolean(true), Value::Integer(1)),
        ("SELECT substr('abc', $1)", Value::Integer(2), text("bc")),
        ("SELECT $1::text::name", text("n"), text("n")),
    ] {
        let result = session.query(sql.into(), vec![parameter]).await;
        assert_eq!(result.map(|result| result.rows), Ok(vec![vec![expected]]), "{sql}");
    }
    for (sql, parameter) in [("SELECT $1::int", Value::Integer(1 << 40)), ("SELECT $1::date", text("soon"))] {
        let refused = session.query(sql.into(), vec![parameter]).await;
        assert!(matches!(refused, Err(StorageError::Invalid(_))), "{sql}: {refused:?}");
    }
    let array = session.query("SELECT ARRAY[1]".into(), Vec::new()).await;
    assert!(matches!(&array, Err(StorageError::Invalid(text)) if text.contains("cast it to text")), "{array:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_bounded_and_what_is_not_read_is_not_sent() {
    let fixture = Fixture::with_limits(On::Postgres, |limits| {
        limits.result_bytes_max = 100_000;
        limits.connections_max = 1;
        // The server takes its time to make hundreds of MB.
        limits.statement_time = Duration::from_secs(25);
    });
    let session = fixture.session();
    let sql = "SELECT repeat('x', $1)";
    session.query(sql.into(), vec![Value::Integer(90_000)]).await.expect("below the bound");
    for size in [110_000, 300 << 20] {
        let refused = session.query(sql.into(), vec![Value::Integer(size)]).await;
        assert_eq!(refused, Err(StorageError::ResultTooLarge { limit_bytes: 100_000 }), "{size}");
    }
    let endless = "SELECT generate_series(1, 1000000000)";
    let refused = session.query(endless.into(), Vec::new()).await;
    assert!(matches!(refused, Err(StorageError::ResultTooLarge { .. })), "{refused:?}");
    assert_eq!(number(&session, "SELECT 1").await, 1, "the connection serves again");
    session.set_many((0..3).map(|key| (format!("{key}"), vec![0; 40_000])).collect()).await.expect("set");
    let keys = |count| (0..count).map(|key| format!("{key}")).collect();
    assert_eq!(session.get_many(keys(2)).await.expect("below").len(), 2);
    assert_eq!(session.get_many(keys(3)).await, Err(StorageError::ResultTooLarge { limit_bytes: 100_000 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_holds_for_floods_and_for_many_small_writes() {
    let fixture = Fixture::with_limits(On::Postgres, |limits| limits.storage_bytes = 4 << 20);
    fixture.schema("CREATE TABLE t (v TEXT)").await;
    let session = fixture.session();
    let flood = "INSERT INTO t SELECT repeat(md5(n::text), 30) FROM generate_series(1, 50000) AS s (n)";
    for unit in [false, true] {
        if unit {
            session.begin().expect("begin");
        }
        let refused = execute(&session, flood).await;
        assert!(matches!(refused, Err(StorageError::QuotaExceeded { .. })), "{refused:?}");
        if unit {
            session.commit().await.expect("the rest of the unit stays");
        }
    }
    assert_eq!(number(&session, "SELECT count(*) FROM t").await, 0, "it was undone");
    let mut stored = 0;
    let refused = loop {
        // What does not compress.
        let value = (0..2_000).flat_map(|_| hull_clock::random_u64().to_le_bytes()).collect();
        match session.set(format!("k{stored}"), value).await {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1_000, "never full");
    };
    assert!(matches!(refused, StorageError::QuotaExceeded { .. }), "{refused:?}");
    let handler = fixture.event_session(&event("e1"));
    handler.finish_event().await.expect("what was accepted can be finished");
    session.delete("k0".into()).await.expect("deleting works");
}

/// Nobody else is harmed when the server ends connections.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_the_error_of_one_invocation() {
    let fixture = Fixture::new(On::Postgres);
    fixture.schema("CREATE TABLE t (n INTEGER)").await;
    let unit = fixture.session();
    unit.begin().expect("begin");
    execute(&unit, "INSERT INTO t VALUES (1)").await.expect("insert");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(as_superuser(fixture.url(), end).parse::<u32>().expect("a number") > 0);
    let lost = execute(&unit, "INSERT INTO t VALUES (2)").await;
    assert!(matches!(lost, Err(StorageError::Unreachable(_))), "{lost:?}");
    let lost = unit.commit().await;
    assert!(matches!(&lost, Err(error) if !error.is_by_guest()), "{lost:?}");
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 0);
    execute(&fixture.session(), "INSERT INTO t VALUES (3)").await.expect("the next one has another connection");
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_leaves_no_statement_behind() {
    let fixture = Fixture::new(On::Postgres);
    fixture.session().set("k".into(), Vec::new()).await.expect("set");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(6%' AND state = 'active'";
    let session = session(&fixture.database, None, Duration::from_mins(2));
    let mut limits = fixture.database.limits();
    limits.statement_time = Duration::from_mins(2);
    fixture.database.set_limits(limits);
    let sleeping = tokio::spawn(async move { session.query("SELECT pg_sleep(60)".into(), Vec::new()).await });
    crate::fixture::until(async || as_superuser(fixture.url(), running) == "1").await;
    sleeping.abort();
    crate::fixture::until(async || as_superuser(fixture.url(), running) == "0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_of_a_server_is_named() {
    let fixture = Fixture::new(On::Postgres);
    let tried = async |url: &str| {
        let server = PostgresServer::new(url, 8).expect("a URL");
        let database = Database::on_postgres(&server, DatabaseOptions::new(ComponentId::new("shop", "users")));
        let session = session(&database, None, Duration::from_secs(20));
        session.get("k".into()).await.expect_err("it cannot be had").to_string()
    };
    let plain = tried(&format!("{}?sslmode=require", fixture.url())).await;
    assert!(plain.contains("TLS"), "{plain}");
    let wrong = tried(&fixture.url().replace("hull:hull@", "hull:wrong@")).await;
    assert!(wrong.contains("pg_hba.conf") && !wrong.contains("wrong"), "{wrong}");
    let nobody = tried("postgres://hull:secret@127.0.0.1:1/hull").await;
    assert!(nobody.contains("cannot be reached") && !nobody.contains("secret"), "{nobody}");
    for url in ["postgres://", "postgres://hull@db/hull?nonsense=1", "not a url"] {
        let refused = PostgresServer::new(url, 8);
        assert!(matches!(refused, Err(StorageError::Invalid(_))), "{url}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_effect_does_not_write_with_a_select_either() {
    let fixture = Fixture::new(On::Postgres);
    fixture
        .schema(
            "CREATE TABLE t (n BIGINT);
             INSERT INTO t VALUES (7);
             CREATE SEQUENCE numbers;
             CREATE FUNCTION adds() RETURNS BIGINT LANGUAGE sql AS 'INSERT INTO t VALUES (8) RETURNING n'",
        )
        .await;
    fixture.session().set("k".into(), b"v".to_vec()).await.expect("set");
    let lineage = Lineage::root(component());
    lineage.frame().attach(Arc::new(Tape::Playing(Player::new(Vec::new()))));
    let deadline = hull_clock::now() + Duration::from_secs(30);
    let options = SessionOptions { frame: Arc::clone(lineage.frame()), deadline, event: None, expects_reply: false };
    let shadow = fixture.database.session(options);
    for sql in ["SELECT nextval('numbers')", "SELECT adds()", "SELECT n INTO u FROM t", "SELECT n FROM t FOR UPDATE"] {
        let denied = shadow.query(sql.into(), Vec::new()).await;
        assert!(matches!(denied, Err(StorageError::Denied(_))), "{sql}: {denied:?}");
    }
    let reopened = "SELECT set_config('transaction_read_only', 'off', true), adds()";
    assert!(shadow.query(reopened.into(), Vec::new()).await.is_err());
    assert_eq!(number(&shadow, "SELECT n FROM t").await, 7);
    assert_eq!(shadow.get("k".into()).await, Ok(Some(b"v".to_vec())));
    assert_eq!(fixture.number("SELECT nextval('numbers')").await, 1);
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 1);
}
