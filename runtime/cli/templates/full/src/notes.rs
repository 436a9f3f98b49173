//! What the notebook keeps: notes in a table, and a number under a key.

use crate::hull::messaging::producer::{self, Message};
use crate::hull::sql::database::{self, Value};
use crate::hull::transactions::transactions::Transaction;
use crate::wasi::keyvalue::{atomics, store};

const COUNTER: &str = "notes-counted";

/// What the log says of a failure.
pub type Result<T> = std::result::Result<T, String>;

/// Write a note and publish an event about it: both happen, or neither does.
pub fn add(text: &str) -> Result<i64> {
    let transaction = Transaction::begin().map_err(|error| format!("begin: {error:?}"))?;
    match add_within(text) {
        Ok(id) => Transaction::commit(transaction).map(|()| id).map_err(|error| format!("commit: {error:?}")),
        Err(error) => {
            // The first error is the one to tell; a unit that cannot be rolled back is gone anyway.
            let _ = Transaction::rollback(transaction);
            Err(error)
        }
    }
}

fn add_within(text: &str) -> Result<i64> {
    let text = text.to_owned();
    let statement = "INSERT INTO notes (text) VALUES ($1) RETURNING id";
    let inserted = database::query(statement, &[Value::Text(text.clone())]);
    let inserted = inserted.map_err(|error| format!("insert: {error:?}"))?;
    let Some([Value::Integer(id)]) = inserted.rows.first().map(Vec::as_slice) else {
        return Err("insert: no id came back".to_owned());
    };
    let event = Message {
        subject: "notes.added".to_owned(),
        id: Some(format!("note-{id}")),
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        payload: text.into_bytes(),
        deliver_at: None,
    };
    producer::publish(&event).map_err(|error| format!("publish: {error:?}"))?;
    Ok(*id)
}

/// Every note as a line, the oldest first.
pub fn all() -> Result<Vec<String>> {
    let found = database::query("SELECT id, text FROM notes ORDER BY id LIMIT 1000", &[]);
    let found = found.map_err(|error| format!("select: {error:?}"))?;
    let line = |row: &Vec<Value>| match row.as_slice() {
        [Value::Integer(id), Value::Text(text)] => Some(format!("{id} {text}\n")),
        _ => None,
    };
    Ok(found.rows.iter().filter_map(line).collect())
}

/// One more event was handled; the result is how many there were.
pub fn count_one() -> Result<i64> {
    change(1)
}

/// How many events were handled.
pub fn counted() -> Result<i64> {
    change(0)
}

fn change(by: i64) -> Result<i64> {
    let bucket = store::open("default").map_err(|error| format!("open: {error:?}"))?;
    atomics::increment(&bucket, COUNTER, by).map_err(|error| format!("increment: {error:?}"))
}
