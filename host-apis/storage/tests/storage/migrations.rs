//! Migrations: forward, in order, each whole or not at all, and never silently changed.

use std::time::Duration;

use hull_storage::{Dialect, StorageError, migration_files};

use crate::fixture::{Fixture, On, migration, on_both};

on_both! {
    they_run_once_and_in_order,
    statements_that_are_kept_compiled_see_the_new_schema,
    one_that_fails_leaves_nothing_of_itself,
    a_changed_one_is_refused_and_says_what_to_do,
    numbers_without_order_are_refused,
    two_hosts_parts_that_migrate_at_once_run_each_once,
    one_that_never_ends_is_interrupted_and_named,
}

/// Never ends by itself.
const ENDLESS: &str = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

async fn they_run_once_and_in_order(on: On) {
    let fixture = Fixture::new(on);
    let all = [
        migration(1, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);"),
        migration(2, "ALTER TABLE t ADD COLUMN m INTEGER NOT NULL DEFAULT 5"),
        migration(3, "UPDATE t SET n = n + m"),
    ];
    assert_eq!(fixture.database.migrate(&all[..2]).await, Ok(vec![1, 2]));
    assert_eq!(fixture.database.migrate(&all).await, Ok(vec![3]));
    assert_eq!(fixture.database.migrate(&all).await, Ok(vec![]));
    assert_eq!(fixture.number("SELECT n FROM t").await, 6);
    assert_eq!(fixture.database.migrate(&all[..1]).await, Ok(vec![]), "a revision that was rolled back");
    let names: Vec<_> =
        fixture.database.applied_migrations().await.expect("list").into_iter().map(|applied| applied.name).collect();
    assert_eq!(names, ["step1", "step2", "step3"]);
}

async fn statements_that_are_kept_compiled_see_the_new_schema(on: On) {
    let fixture = Fixture::new(on);
    let first = migration(1, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)");
    fixture.database.migrate(std::slice::from_ref(&first)).await.expect("migrate");
    let session = fixture.session();
    let columns = async || session.query("SELECT * FROM t".into(), Vec::new()).await.expect("query").columns;
    assert_eq!(columns().await, ["n"]);
    fixture.database.migrate(&[first, migration(2, "ALTER TABLE t ADD COLUMN m INTEGER")]).await.expect("migrate");
    assert_eq!(columns().await, ["n", "m"]);
}

async fn one_that_fails_leaves_nothing_of_itself(on: On) {
    let fixture = Fixture::new(on);
    let good = migration(1, "CREATE TABLE t (n INTEGER)");
    let all = [good.clone(), migration(2, "CREATE TABLE u (n INTEGER); INSERT INTO nowhere VALUES (1)")];
    let failed = fixture.database.migrate(&all).await;
    assert!(matches!(&failed, Err(StorageError::Invalid(text)) if text.contains("2_step2")), "{failed:?}");
    assert_eq!(
        fixture
            .number(match on {
                On::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE name = 'u'",
                On::Postgres => "SELECT count(*) FROM pg_tables WHERE tablename = 'u'",
            })
            .await,
        0
    );
    let all = [good, migration(2, "CREATE TABLE u (n INTEGER)")];
    assert_eq!(fixture.database.migrate(&all).await, Ok(vec![2]));
}

async fn a_changed_one_is_refused_and_says_what_to_do(on: On) {
    let fixture = Fixture::new(on);
    fixture.database.migrate(&[migration(1, "CREATE TABLE t (n INTEGER)")]).await.expect("migrate");
    let refused = fixture.database.migrate(&[migration(1, "CREATE TABLE t (n TEXT)")]).await;
    assert!(matches!(&refused, Err(StorageError::Invalid(text)) if text.contains("next number")), "{refused:?}");
}

async fn numbers_without_order_are_refused(on: On) {
    let fixture = Fixture::new(on);
    for numbers in [&[2][..], &[1, 3], &[1, 1], &[2, 1]] {
        let all: Vec<_> = numbers.iter().map(|number| migration(*number, "CREATE TABLE t (n INTEGER)")).collect();
        let refused = fixture.database.migrate(&all).await;
        assert!(matches!(refused, Err(StorageError::Invalid(_))), "{numbers:?}: {refused:?}");
    }
    assert_eq!(fixture.database.applied_migrations().await, Ok(Vec::new()));
}

async fn two_hosts_parts_that_migrate_at_once_run_each_once(on: On) {
    let fixture = Fixture::new(on);
    let all = [migration(1, "CREATE TABLE t (n INTEGER)"), migration(2, "INSERT INTO t VALUES (1)")];
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (database, all) = (fixture.database.clone(), all.clone());
            tokio::spawn(async move { database.migrate(&all).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task").expect("migrate");
    }
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 1);
}

async fn one_that_never_ends_is_interrupted_and_named(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.migration_time = Duration::from_millis(200));
    let writing = format!("CREATE TABLE t (n INTEGER); INSERT INTO t {ENDLESS}");
    for endless in [ENDLESS, &writing] {
        // What counts without end does not fit into 32 bits for long.
        let endless = endless.replace("SELECT 1 UNION", "SELECT 1::bigint UNION");
        let endless = if on == On::Postgres { endless } else { endless.replace("::bigint", "") };
        let ended = fixture.database.migrate(&[migration(1, &endless)]).await;
        let told = |text: &str| text.contains("1_step1") && text.contains("longer than 200ms");
        assert!(matches!(&ended, Err(StorageError::Timeout(text)) if told(text)), "{ended:?}");
    }
    let applied = fixture.database.applied_migrations().await.expect("list");
    assert_eq!(applied, []);
    let mut limits = fixture.database.limits();
    limits.migration_time = Duration::from_mins(1);
    fixture.database.set_limits(limits);
    assert_eq!(fixture.database.migrate(&[migration(1, "CREATE TABLE t (n INTEGER)")]).await, Ok(vec![1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_nobody_waits_for_is_interrupted() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.migration_time = Duration::from_hours(1));
    let (database, all) = (fixture.database.clone(), [migration(1, ENDLESS)]);
    let migrating = tokio::spawn(async move { database.migrate(&all).await });
    crate::fixture::until(async || fixture.database.exists()).await;
    migrating.abort();
    // The writer has one thread: the file is closed only when the migration has ended.
    let closing = tokio::time::timeout(Duration::from_secs(30), fixture.database.close());
    closing.await.expect("the migration has ended");
}

#[test]
fn files_are_chosen_by_dialect_and_sorted_by_number() {
    let names = ["10_last.sql", "2_b.postgres.sql", "2_b.sqlite.sql", "1_a.sql", "README.md"];
    let expected: Vec<String> = (3..=9).map(|number| format!("{number}_x.sql")).collect();
    let names = names.into_iter().chain(expected.iter().map(String::as_str));
    let chosen = migration_files(names, Dialect::Sqlite).expect("files");
    let files: Vec<_> = chosen.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(files[..3], ["1_a.sql", "2_b.sqlite.sql", "3_x.sql"]);
    assert_eq!(files.last(), Some(&"10_last.sql"));
    assert_eq!(chosen[1].name, "b");
}

#[test]
fn file_names_that_do_not_fit_are_refused() {
    for names in [
        &["create.sql"][..],
        &["_x.sql"],
        &["1_.sql"],
        &["+1_x.sql"],
        &["99999999999_x.sql"],
        &["1_a.sql", "1_b.sql"],
        &["1_a.sql", "1_a.sqlite.sql"],
        &["1_a.sql", "3_b.sql"],
        &["2_a.sql"],
        &["1_a.postgres.sql", "2_b.sql"],
    ] {
        let refused = migration_files(names.iter().copied(), Dialect::Sqlite);
        assert!(matches!(refused, Err(StorageError::Invalid(_))), "{names:?}: {refused:?}");
    }
}
