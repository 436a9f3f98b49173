//! A read that looks one thing up runs on the thread that asks. Whatever could be long does not, whoever changes the
//! schema meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hull_storage::{MeteredWork, Session, StatementMeter, Value};

use crate::fixture::{Fixture, On, execute, until};

/// Counts what is run on other threads.
#[derive(Default)]
struct Handed(AtomicUsize);

struct Unmetered;

impl MeteredWork for Unmetered {
    fn step(&mut self) {}
}

impl StatementMeter for Handed {
    fn begin(&self) -> Box<dyn MeteredWork> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::new(Unmetered)
    }

    fn may_glance(&self) -> bool {
        true
    }
}

/// Two rows, a view of them, and what counts.
async fn prepared() -> (Fixture, Arc<Handed>) {
    let handed = Arc::new(Handed::default());
    let fixture = Fixture::with_options(On::Sqlite, |options| {
        options.meter = Some(Arc::clone(&handed) as Arc<dyn StatementMeter>);
    });
    fixture
        .schema(
            "CREATE TABLE lamps (id TEXT PRIMARY KEY, name TEXT NOT NULL, cents INTEGER); \
             INSERT INTO lamps VALUES ('a', 'Lantern', 4200), ('b', 'Candle', 90); \
             CREATE VIEW shown AS SELECT id, name FROM lamps",
        )
        .await;
    (fixture, handed)
}

async fn names(session: &Session, sql: &str, id: &str) -> Vec<Vec<Value>> {
    session.query(sql.to_owned(), vec![Value::Text(id.to_owned())]).await.expect("rows").rows
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// How often it was handed to another thread of so many times that it was asked.
async fn handed_of(times: usize, sql: &str, handed: &Handed, session: &Session) -> usize {
    let before = handed.0.load(Ordering::Relaxed);
    for _ in 0..times {
        names(session, sql, "a").await;
    }
    handed.0.load(Ordering::Relaxed) - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_runs_where_it_is_asked() {
    let (fixture, handed) = prepared().await;
    let session = fixture.session();
    for sql in [
        "SELECT id, name, cents FROM lamps WHERE id = $1",
        "SELECT name FROM shown WHERE id = $1",
        "SELECT name FROM lamps WHERE id = $1 AND cents > 10",
    ] {
        // A thread may be taken from its work in the middle of it: then the read begins again elsewhere.
        until(async || handed_of(1, sql, &handed, &session).await == 0).await;
    }
    let sql = "SELECT id, name, cents FROM lamps WHERE id = $1";
    assert_eq!(names(&session, sql, "a").await, [[text("a"), text("Lantern"), Value::Integer(4200)]]);
    assert!(names(&session, sql, "c").await.is_empty());
    execute(&session, "UPDATE lamps SET name = 'Lamp' WHERE id = 'a'").await.expect("a change");
    assert_eq!(names(&session, sql, "a").await, [[text("a"), text("Lamp"), Value::Integer(4200)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_long_does_not() {
    let (fixture, handed) = prepared().await;
    let session = fixture.session();
    for sql in [
        "SELECT name FROM lamps WHERE id = $1 AND name LIKE '%n%'",
        "SELECT upper(name) FROM lamps WHERE id = $1",
        "SELECT name || name FROM lamps WHERE id = $1",
        "SELECT name FROM lamps WHERE id >= $1",
        "SELECT count(*) FROM lamps WHERE id <> $1",
        "SELECT name FROM lamps WHERE name = $1",
        "SELECT name FROM lamps WHERE id >= $1 ORDER BY cents",
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 10) SELECT n FROM c WHERE n <> $1",
    ] {
        assert_eq!(handed_of(5, sql, &handed, &session).await, 5, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_schema_makes_another_statement_of_it() {
    let (fixture, handed) = prepared().await;
    let session = fixture.session();
    let sql = "SELECT name FROM shown WHERE id = $1";
    until(async || handed_of(1, sql, &handed, &session).await == 0).await;
    execute(&session, "DROP VIEW shown").await.expect("a change");
    let long = "CREATE VIEW shown AS SELECT id, name FROM lamps WHERE name LIKE '%tern'";
    execute(&session, long).await.expect("a change");
    assert_eq!(handed_of(5, sql, &handed, &session).await, 5, "it computes now");
    assert_eq!(names(&session, sql, "a").await, [[text("Lantern")]]);
    assert!(names(&session, sql, "b").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_are_given_and_read_elsewhere() {
    let (fixture, handed) = prepared().await;
    let session = fixture.session();
    let sql = "SELECT name FROM lamps WHERE id = $1";
    until(async || handed_of(1, sql, &handed, &session).await == 0).await;
    let long = "x".repeat(900_000);
    let both = vec![text("long"), text(&long)];
    session.execute("INSERT INTO lamps VALUES ($1, $2, 1)".to_owned(), both).await.expect("a row");
    assert_eq!(names(&session, sql, "long").await, [[text(&long)]]);
    assert!(names(&session, sql, &long).await.is_empty());
}

/// How often it was handed to another thread of so many times that a key was asked for.
async fn gets_handed_of(times: usize, key: &str, handed: &Handed, session: &Session) -> usize {
    let before = handed.0.load(Ordering::Relaxed);
    for _ in 0..times {
        session.get(key.to_owned()).await.expect("an answer");
    }
    handed.0.load(Ordering::Relaxed) - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_looked_up_where_it_is_asked_for_and_a_large_value_elsewhere() {
    let (fixture, handed) = prepared().await;
    let session = fixture.session();
    for (key, bytes) in [("small", 60_000), ("large", 70_000)] {
        session.set(key.to_owned(), vec![b'x'; bytes]).await.expect("a value");
    }
    until(async || gets_handed_of(1, "small", &handed, &session).await == 0).await;
    assert_eq!(gets_handed_of(5, "large", &handed, &session).await, 5);
    assert_eq!(session.get("large".to_owned()).await, Ok(Some(vec![b'x'; 70_000])));
    let many = |count: usize| vec!["small".to_owned(); count];
    let handed_by = async |count| {
        let before = handed.0.load(Ordering::Relaxed);
        let found = session.get_many(many(count)).await.expect("values");
        assert!(found.len() == count && found.iter().flatten().all(|(_, value)| value.len() == 60_000));
        handed.0.load(Ordering::Relaxed) - before
    };
    until(async || handed_by(1).await == 0).await;
    assert_eq!(handed_by(2).await, 1, "together they are large");
    assert_eq!(handed_by(100).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_schema_is_read_elsewhere() {
    let (fixture, handed) = prepared().await;
    let session = fixture.session();
    until(async || gets_handed_of(1, "a", &handed, &session).await == 0).await;
    execute(&session, "CREATE TABLE more (id INTEGER PRIMARY KEY)").await.expect("a change");
    assert_eq!(gets_handed_of(1, "a", &handed, &session).await, 1);
    until(async || gets_handed_of(1, "a", &handed, &session).await == 0).await;
}
