//! Schema changes that a guest makes while it serves: its own, like its data, and nothing of the host's.

use hull_storage::{StorageError, Value};

use crate::fixture::{Fixture, On, execute, migration, outgoing};

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_makes_and_changes_its_own_tables() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    for unit in [false, true] {
        if unit {
            session.begin().expect("begin");
        }
        for sql in [
            "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER)",
            "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER)",
            "CREATE INDEX t_n ON t (n)",
            "CREATE VIEW v AS SELECT n FROM t",
            "CREATE TABLE log (n INTEGER)",
            "CREATE TRIGGER logs AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.n); END",
            "INSERT INTO t (n) VALUES (1), (2)",
            "CREATE TABLE copy AS SELECT * FROM t",
            "CREATE VIRTUAL TABLE words USING fts5(text)",
            "INSERT INTO words VALUES ('a word')",
            "ALTER TABLE t ADD COLUMN m",
            "REINDEX t",
            "ANALYZE",
            "DROP TRIGGER logs",
            "ALTER TABLE t RENAME TO u",
            "INSERT INTO u (n) VALUES (3)",
        ] {
            execute(&session, sql).await.unwrap_or_else(|error| panic!("unit {unit}: {sql}: {error}"));
        }
        let found = session.query("SELECT sum(v.n) FROM v, words WHERE words MATCH 'word'".into(), Vec::new()).await;
        assert_eq!(found.expect("rows").rows, [[Value::Integer(6)]]);
        for sql in ["DROP VIEW v", "DROP TABLE u", "DROP TABLE copy", "DROP TABLE log", "DROP TABLE words"] {
            execute(&session, sql).await.unwrap_or_else(|error| panic!("unit {unit}: {sql}: {error}"));
        }
        if unit {
            session.commit().await.expect("commit");
        }
    }
    let left = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 5) <> 'hull_' \
                AND substr(name, 1, 7) <> 'sqlite_'";
    assert_eq!(fixture.number(left).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_authorizer_does_not_see_is_found_afterwards() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    execute(&session, "CREATE TABLE t (n INTEGER)").await.expect("create");
    for sql in [
        "ALTER TABLE t RENAME TO hull_taken",
        "CREATE TABLE child (seq INTEGER REFERENCES hull_outbox (seq))",
        "ALTER TABLE t ADD COLUMN seq INTEGER REFERENCES hull_outbox (seq)",
    ] {
        for _ in 0..2 {
            let refused = execute(&session, sql).await;
            assert!(matches!(refused, Err(StorageError::Denied(_))), "{sql}: {refused:?}");
            let queried = session.query(sql.into(), Vec::new()).await;
            assert!(matches!(queried, Err(StorageError::Denied(_))), "{sql}: {queried:?}");
        }
    }
    assert_eq!(execute(&session, "INSERT INTO t (n) VALUES (1)").await, Ok(1), "as it was");
    let direct = execute(&session, "DELETE FROM sqlite_schema").await;
    assert!(matches!(direct, Err(StorageError::Invalid(_) | StorageError::Denied(_))), "{direct:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_change_never_was() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    for _ in 0..2 {
        session.begin().expect("begin");
        execute(&session, "CREATE TABLE t (n INTEGER)").await.expect("create");
        execute(&session, "INSERT INTO t VALUES (1)").await.expect("insert");
        session.rollback().await.expect("rollback");
    }
    let gone = session.query("SELECT * FROM t".into(), Vec::new()).await;
    assert!(matches!(gone, Err(StorageError::Invalid(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_that_is_checked_at_the_commit_ends_sharing_it() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    execute(&session, "CREATE TABLE parent (id INTEGER PRIMARY KEY)").await.expect("create");
    let child = "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";
    execute(&session, child).await.expect("create");
    let blocker = fixture.session();
    blocker.begin().expect("begin");
    blocker.get("nothing".into()).await.expect("get");
    let mut tasks = Vec::new();
    for waiting in 0..5 {
        let session = fixture.session();
        tasks.push(tokio::spawn(async move {
            let orphan = "INSERT INTO child VALUES (7)";
            if waiting == 2 { execute(&session, orphan).await.map(drop) } else { session.set("k".into(), vec![]).await }
        }));
        fixture.waiting(waiting + 1).await;
    }
    blocker.commit().await.expect("commit");
    for (index, task) in tasks.into_iter().enumerate() {
        let result = task.await.expect("a task");
        assert_eq!(matches!(result, Err(StorageError::Constraint { .. })), index == 2, "{index}: {result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shares_a_commit_with_a_change_of_the_schema_is_not_blamed_for_it() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    execute(&session, "CREATE TABLE parent (id INTEGER PRIMARY KEY)").await.expect("create");
    let blocker = fixture.session();
    blocker.begin().expect("begin");
    blocker.get("nothing".into()).await.expect("get");
    let first = tokio::spawn({
        let session = fixture.session();
        async move { session.set("k".into(), Vec::new()).await }
    });
    fixture.waiting(1).await;
    let changing = tokio::spawn({
        let session = fixture.session();
        async move {
            session.begin().expect("begin");
            let child = "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";
            execute(&session, child).await?;
            execute(&session, "INSERT INTO child VALUES (7)").await?;
            session.commit().await
        }
    });
    fixture.waiting(2).await;
    let last = tokio::spawn({
        let session = fixture.session();
        async move { session.set("l".into(), Vec::new()).await }
    });
    fixture.waiting(3).await;
    // It shares the commit as well, and a unit is told to run again where an operation is run again by the host.
    let blocking = blocker.commit().await;
    assert!(matches!(blocking, Ok(()) | Err(StorageError::Conflict)), "{blocking:?}");
    assert_eq!(first.await.expect("a task"), Ok(()));
    let failed = changing.await.expect("a task");
    assert!(matches!(failed, Err(StorageError::Constraint { .. } | StorageError::Conflict)), "{failed:?}");
    assert_eq!(last.await.expect("a task"), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_has_bounds() {
    let fixture = Fixture::new(On::Sqlite);
    let all: Vec<_> = (0..990).map(|number| format!("CREATE TABLE t{number} (n)")).collect();
    fixture.schema(&all.join(";")).await;
    let session = fixture.session();
    for number in 990.. {
        let made = execute(&session, &format!("CREATE TABLE t{number} (n)")).await;
        if number < 1000 {
            made.unwrap_or_else(|error| panic!("{number}: {error}"));
        } else {
            assert!(matches!(&made, Err(StorageError::Denied(text)) if text.contains("1000")), "{made:?}");
            break;
        }
    }
    execute(&session, "DROP TABLE t0").await.expect("one less");
    execute(&session, "CREATE TABLE t0 (n)").await.expect("one more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_numbers_are_not_for_migrations() {
    let fixture = Fixture::new(On::Sqlite);
    let first = migration(1, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)");
    fixture.database.migrate(std::slice::from_ref(&first)).await.expect("migrate");
    for sql in [
        "INSERT INTO sqlite_sequence VALUES ('hull_outbox', 9223372036854775807)",
        "DROP TABLE t; UPDATE sqlite_sequence SET seq = 9223372036854775807",
    ] {
        let refused = fixture.database.migrate(&[first.clone(), migration(2, sql)]).await;
        assert!(matches!(refused, Err(StorageError::Denied(_))), "{sql}: {refused:?}");
    }
    let drop = migration(2, "INSERT INTO t VALUES (5); ALTER TABLE t RENAME TO u; DROP TABLE u");
    assert_eq!(fixture.database.migrate(&[first, drop]).await, Ok(vec![2]));
    let unit = fixture.session();
    unit.begin().expect("begin");
    unit.publish(outgoing("a")).await.expect("publish");
    unit.commit().await.expect("commit");
}
