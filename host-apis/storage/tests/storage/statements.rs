//! Guest SQL: parameters, results, errors, and where a statement runs.

use hull_storage::{ConstraintKind, StorageError, Value};

use crate::fixture::{Fixture, On, execute, on_both, one_of_each_type};

on_both! {
    parameters_go_by_their_number,
    a_query_that_writes_is_committed_like_any_write,
    broken_constraints_say_which_kind,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_in_and_comes_out() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    let values = one_of_each_type();
    let result = session.query("SELECT $1 AS a, $2 AS b, $3, $4, $5, $6".into(), values.clone()).await.expect("query");
    assert_eq!(result.columns[..2], ["a".to_owned(), "b".to_owned()]);
    let mut expected = values;
    expected[1] = Value::Integer(1);
    assert_eq!(result.rows, [expected]);
}

async fn parameters_go_by_their_number(on: On) {
    let fixture = Fixture::new(on);
    let session = fixture.session();
    let numbers = || vec![Value::Integer(1), Value::Integer(2)];
    let result = session.query("SELECT $2 + 0, $1 + 0, $2 + 0".into(), numbers()).await.expect("query");
    assert_eq!(result.rows, [[Value::Integer(2), Value::Integer(1), Value::Integer(2)]]);
    for sql in ["SELECT $3, $1, $2", "SELECT $1", "SELECT :name, $1, $2", "SELECT $0, $1, $2", "SELECT @a, $1"] {
        let refused = session.query(sql.into(), numbers()).await;
        assert!(matches!(refused, Err(StorageError::Invalid(_))), "{sql}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_one_valid_statement_is_refused() {
    let fixture = Fixture::new(On::Sqlite);
    fixture.schema("CREATE TABLE t (n INTEGER)").await;
    let session = fixture.session();
    let nowhere = "SELECT x FROM nowhere";
    for sql in ["", "  ", "-- nothing", "SELEC 1", "SELECT 1; SELECT 2", nowhere, "SELECT \"text\"", "a\0b"] {
        for unit in [false, true] {
            if unit {
                session.begin().expect("begin");
            }
            let query = session.query(sql.into(), Vec::new()).await;
            assert!(matches!(query, Err(StorageError::Invalid(_))), "{sql:?}: {query:?}");
            let run = execute(&session, sql).await;
            assert!(matches!(run, Err(StorageError::Invalid(_))), "{sql:?}: {run:?}");
            session.abandon();
        }
    }
    let reads = execute(&session, "SELECT n FROM t").await;
    assert!(matches!(reads, Err(StorageError::Invalid(text)) if text.contains("query")));
    session.query("SELECT 1; -- and a remark".into(), Vec::new()).await.expect("a remark is no statement");
}

async fn a_query_that_writes_is_committed_like_any_write(on: On) {
    let fixture = Fixture::new(on);
    fixture.schema("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)").await;
    let session = fixture.session();
    let sql = "INSERT INTO t (id, n) VALUES (1, 5), (2, 6) RETURNING id";
    let result = session.query(sql.into(), Vec::new()).await.expect("query");
    assert_eq!(result.rows, [[Value::Integer(1)], [Value::Integer(2)]]);
    let with = "WITH x (n) AS (SELECT 7) INSERT INTO t (id, n) SELECT 3, n FROM x RETURNING n";
    let result = session.query(with.into(), Vec::new()).await.expect("query");
    assert_eq!(result.rows, [[Value::Integer(7)]]);
    assert_eq!(fixture.number("SELECT sum(n) FROM t").await, 18);
    assert_eq!(execute(&session, "UPDATE t SET n = 0 WHERE n > 5").await, Ok(2));
}

async fn broken_constraints_say_which_kind(on: On) {
    let fixture = Fixture::new(on);
    fixture
        .schema(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, n INTEGER CHECK (n > 0));
             CREATE TABLE c (p INTEGER REFERENCES p (id));
             INSERT INTO p VALUES (1, 'a', 1)",
        )
        .await;
    let session = fixture.session();
    for (sql, expected) in [
        ("INSERT INTO p VALUES (1, 'b', 1)", ConstraintKind::Unique),
        ("INSERT INTO p VALUES (2, 'a', 1)", ConstraintKind::Unique),
        ("INSERT INTO p VALUES (2, NULL, 1)", ConstraintKind::NotNull),
        ("INSERT INTO p VALUES (2, 'b', 0)", ConstraintKind::Check),
        ("INSERT INTO c VALUES (9)", ConstraintKind::ForeignKey),
    ] {
        match execute(&session, sql).await {
            Err(StorageError::Constraint { kind, .. }) => assert_eq!(kind, expected, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_text_search_works() {
    let fixture = Fixture::new(On::Sqlite);
    fixture
        .schema(
            "CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
             CREATE VIRTUAL TABLE product_text USING fts5(name, content='product', content_rowid='id');
             CREATE TRIGGER product_added AFTER INSERT ON product BEGIN
                 INSERT INTO product_text (rowid, name) VALUES (new.id, new.name);
             END;
             CREATE TRIGGER product_gone AFTER DELETE ON product BEGIN
                 INSERT INTO product_text (product_text, rowid, name) VALUES ('delete', old.id, old.name);
             END;
             INSERT INTO product (name) VALUES ('a red teapot'), ('a blue cup')",
        )
        .await;
    let session = fixture.session();
    let search = "SELECT p.name, highlight(product_text, 0, '<', '>') FROM product_text t \
                  JOIN product p ON p.id = t.rowid WHERE product_text MATCH $1 ORDER BY rank";
    let find = async |word: &str| session.query(search.into(), vec![Value::Text(word.into())]).await.expect("search");
    assert_eq!(find("teapot").await.rows.len(), 1);
    execute(&session, "INSERT INTO product (name) VALUES ('another teapot')").await.expect("insert");
    execute(&session, "DELETE FROM product WHERE name LIKE '%cup'").await.expect("delete");
    assert_eq!(find("teapot").await.rows.len(), 2);
    assert_eq!(find("cup").await.rows.len(), 0);
}
