//! Statements whose single steps are long still end soon after their time, and what they compute is what SQLite says.

use std::time::Duration;

use hull_storage::{StorageError, Value};

use crate::fixture::{Fixture, On};

/// Two long texts that are alike except for the last character, and a row for every n.
fn over(expression: &str) -> String {
    format!(
        "WITH RECURSIVE h (x, y) AS MATERIALIZED (SELECT replace(hex(zeroblob(500000)), '00', 'a'), \
         replace(hex(zeroblob(250000)), '00', 'a') || 'b'), \
         c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 400) SELECT sum({expression}) FROM c, h"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_few_long_steps_is_ended_in_time() {
    let limit = Duration::from_millis(500);
    let fixture = Fixture::with_limits(On::Sqlite, |limits| limits.statement_time = limit);
    let session = fixture.session();
    for expression in [
        "(h.x || c.n) LIKE '%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'",
        "instr(h.x || c.n, h.y)",
        "length(replace(h.x || c.n, h.y, ''))",
        "length(trim(h.x || c.n, h.y))",
    ] {
        let begun = hull_clock::now();
        let ended = session.query(over(expression), Vec::new()).await;
        let took = begun.elapsed();
        // One step of an unoptimised SQLite may take a good part of a second; all of them would take minutes.
        assert!(took < limit * 10, "{expression} took {took:?}");
        assert!(matches!(ended, Ok(_) | Err(StorageError::Timeout(_))), "{expression}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_short() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    let like = "SELECT 'a' LIKE $1".to_owned();
    let pattern = |length| vec![Value::Text("a".repeat(length))];
    session.query(like.clone(), pattern(128)).await.expect("at the bound");
    let long = session.query(like, pattern(129)).await;
    assert!(matches!(&long, Err(StorageError::Invalid(text)) if text.contains("pattern")), "{long:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_of_the_host_answer_as_sqlite_does() {
    let fixture = Fixture::new(On::Sqlite);
    let session = fixture.session();
    let text = |text: &str| Value::Text(text.to_owned());
    for (expression, expected) in [
        ("instr('ärger', 'g')", Value::Integer(3)),
        ("instr('abc', '')", Value::Integer(1)),
        ("instr('abc', 'x')", Value::Integer(0)),
        ("instr(x'000102', x'02')", Value::Integer(3)),
        ("instr(12345, 34)", Value::Integer(3)),
        ("instr(NULL, 'a')", Value::Null),
        ("instr('a', NULL)", Value::Null),
        ("replace('banana', 'an', 'AN')", text("bANANa")),
        ("replace('aaa', 'aa', 'b')", text("ba")),
        ("replace('abc', '', 'x')", text("abc")),
        ("replace('abc', 'b', NULL)", Value::Null),
        ("replace(1213, 1, 'x')", text("x2x3")),
        ("trim('xxäxx', 'x')", text("ä")),
        ("ltrim('abcab', 'ba')", text("cab")),
        ("rtrim('abcab', 'ba')", text("abc")),
        ("trim('abc', '')", text("abc")),
        ("trim(NULL, 'a')", Value::Null),
        ("trim('a', NULL)", Value::Null),
        ("trim('  a ')", text("a")),
        ("typeof(trim(121, 1))", text("text")),
    ] {
        let result = session.query(format!("SELECT {expression}"), Vec::new()).await;
        assert_eq!(result.map(|result| result.rows), Ok(vec![vec![expected]]), "{expression}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_makes_is_bounded_like_every_value() {
    let fixture = Fixture::new(On::Sqlite);
    let sql = "SELECT length(replace(hex(zeroblob(100000)), '0', hex(zeroblob(100000))))";
    let made = fixture.session().query(sql.to_owned(), Vec::new()).await;
    assert!(matches!(&made, Err(StorageError::Invalid(text)) if text.contains("too big")), "{made:?}");
}
