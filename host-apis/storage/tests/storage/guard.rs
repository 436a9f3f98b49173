//! What guest SQL may not do, at run time, inside units and in migrations.

use hull_storage::StorageError;

use crate::fixture::{Fixture, On, execute, migration};

/// Denied everywhere.
const NEVER: &[&str] = &[
    "SELECT * FROM hull_kv",
    "SELECT * FROM \"HULL_kv\"",
    "SELECT * FROM [hull_outbox]",
    "SELECT * FROM main.hull_handled",
    "SELECT (SELECT count(*) FROM hull_kv)",
    "WITH x AS (SELECT * FROM hull_kv) SELECT * FROM x",
    "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM hull_kv)",
    "INSERT INTO hull_kv (store, key, value) VALUES ('default', 'a', 'b')",
    "INSERT INTO t SELECT 1 FROM hull_outbox",
    "UPDATE hull_outbox SET subject = 'x'",
    "DELETE FROM hull_handled",
    "DROP TABLE hull_kv",
    "ALTER TABLE hull_kv RENAME TO kv",
    "ALTER TABLE hull_kv ADD COLUMN x",
    "CREATE INDEX i ON hull_kv (key)",
    "CREATE TRIGGER g AFTER INSERT ON hull_kv BEGIN SELECT 1; END",
    "CREATE TABLE hull_mine (n)",
    "CREATE VIEW hull_view AS SELECT 1",
    "CREATE VIRTUAL TABLE hull_text USING fts5(a)",
    "SELECT * FROM kv_view",
    "INSERT INTO trapped VALUES (1)",
    "BEGIN",
    "BEGIN IMMEDIATE /* hull */",
    "COMMIT",
    "COMMIT /* hull */",
    "ROLLBACK",
    "END",
    "SAVEPOINT hull_unit",
    "RELEASE hull_unit",
    "ROLLBACK TO hull_statement",
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "VACUUM INTO 'copy.db'",
    "PRAGMA user_version",
    "PRAGMA page_count /* hull */",
    "PRAGMA synchronous = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA query_only = OFF",
    "SELECT * FROM pragma_table_info('t')",
    "SELECT * FROM pragma_database_list",
    "SELECT load_extension('x.so')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT * FROM dbstat",
    "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "INSERT INTO sqlite_sequence VALUES ('hull_outbox', 1)",
    "DELETE FROM sqlite_sequence",
    "WITH x AS (SELECT 1) UPDATE sqlite_sequence SET seq = 0 WHERE name = 'hull_outbox'",
    "INSERT INTO meddles VALUES (1)",
    "CREATE TEMP TABLE x (n)",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE x USING fts3(a)",
    "CREATE VIRTUAL TABLE x USING rtree(a, b, c)",
];

const SCHEMA: &str = "CREATE TABLE t (n INTEGER);
    CREATE INDEX t_n ON t (n);
    CREATE TABLE trapped (n INTEGER);
    CREATE TABLE meddles (n INTEGER);
    CREATE TRIGGER meddling AFTER INSERT ON meddles BEGIN UPDATE sqlite_sequence SET seq = 0; END;
    CREATE VIEW kv_view AS SELECT * FROM hull_kv;
    CREATE TRIGGER reads_kv AFTER INSERT ON trapped BEGIN DELETE FROM hull_kv; END";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_out_of_the_components_own_tables() {
    let fixture = Fixture::new(On::Sqlite);
    fixture.schema(SCHEMA).await;
    let session = fixture.session();
    session.set("secret".into(), b"kept".to_vec()).await.expect("set");
    for sql in NEVER {
        for unit in [false, true] {
            if unit {
                session.begin().expect("begin");
                session.set("in-unit".into(), Vec::new()).await.expect("set");
            }
            for result in
                [session.query((*sql).into(), Vec::new()).await.map(drop), execute(&session, sql).await.map(drop)]
            {
                assert!(matches!(result, Err(StorageError::Denied(_))), "unit {unit}: {sql}: {result:?}");
            }
            if unit {
                session.rollback().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
    }
    assert_eq!(session.get("secret".into()).await, Ok(Some(b"kept".to_vec())));
    assert_eq!(session.get("in-unit".into()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_stay_inside_too() {
    let fixture = Fixture::new(On::Sqlite);
    fixture.schema(SCHEMA).await;
    for sql in NEVER.iter().filter(|sql| !sql.starts_with("VACUUM")) {
        let all = [migration(1, SCHEMA), migration(2, sql)];
        let refused = fixture.database.migrate(&all).await;
        assert!(matches!(refused, Err(StorageError::Denied(_))), "{sql}: {refused:?}");
    }
    let vacuum = [migration(1, SCHEMA), migration(2, "VACUUM INTO 'copy.db'")];
    let refused = fixture.database.migrate(&vacuum).await;
    assert!(matches!(refused, Err(StorageError::Invalid(_))), "not inside a transaction: {refused:?}");
    for sql in [
        "CREATE TABLE kept (n); ALTER TABLE kept RENAME TO hull_taken",
        "CREATE TABLE child (seq INTEGER REFERENCES hull_outbox (seq))",
    ] {
        let all = [migration(1, SCHEMA), migration(2, sql)];
        let refused = fixture.database.migrate(&all).await;
        assert!(matches!(refused, Err(StorageError::Denied(_))), "{sql}: {refused:?}");
    }
    let all = [migration(1, SCHEMA), migration(2, "CREATE TABLE fine (n); ANALYZE; DROP TABLE fine; REINDEX t")];
    assert_eq!(fixture.database.migrate(&all).await, Ok(vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_statements_are_not_for_guests_though_they_are_cached() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    session.set("k".into(), b"v".to_vec()).await.expect("set");
    assert_eq!(session.get("k".into()).await, Ok(Some(b"v".to_vec())), "the host's statement is compiled now");
    let same_text = "SELECT value FROM hull_kv WHERE store = ?1 AND key = ?2";
    let parameters = vec!["default", "k"].into_iter().map(|text| hull_storage::Value::Text(text.into())).collect();
    let denied = session.query(same_text.into(), parameters).await;
    assert!(matches!(denied, Err(StorageError::Denied(_))), "{denied:?}");
}
