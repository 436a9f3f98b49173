//! Storage: filling it, asking too much of it, and asking for too much at once.

use hull_sdk::bindings::hull::sql::database;
use hull_sdk::bindings::hull::sql::types::{Error, Value as SqlValue};
use hull_sdk::bindings::wasi::keyvalue::{batch, store};
use serde_json::{Value, json};

/// As large as a value may be by default.
const VALUE_BYTES: usize = 1 << 20;
const ROW_BYTES: usize = 64 * 1024;
/// More than any quota has room for.
const WRITES: usize = 100_000;
/// As many keys as one batch may name.
const BATCH_KEYS: usize = 1000;

/// Write until nothing more is taken.
pub(crate) fn keyvalue_fill() -> Value {
    let Ok(bucket) = store::open("default") else { return Value::Null };
    let value = vec![b'x'; VALUE_BYTES];
    for written in 0..WRITES {
        if let Err(refused) = bucket.set(&format!("key-{written}"), &value) {
            return json!({"written": written, "why": format!("{refused:?}")});
        }
    }
    json!({"written": WRITES, "why": null})
}

/// The same, and then do what an orderly guest would: delete something and write once more.
pub(crate) fn keyvalue_flood() -> Value {
    let mut told = keyvalue_fill();
    let Ok(bucket) = store::open("default") else { return Value::Null };
    if let Value::Object(told) = &mut told {
        let freed = bucket.delete("key-0").is_ok() && bucket.delete("key-1").is_ok();
        told.insert("freed".to_owned(), freed.into());
        told.insert("again".to_owned(), bucket.set("after", b"small").is_ok().into());
    }
    told
}

/// One value a thousand times in one answer: a gibibyte.
pub(crate) fn keyvalue_gather() -> Value {
    let Ok(bucket) = store::open("default") else { return Value::Null };
    if let Err(refused) = bucket.set("key", &vec![b'x'; VALUE_BYTES]) {
        return json!({"why": format!("{refused:?}")});
    }
    match batch::get_many(&bucket, &vec!["key".to_owned(); BATCH_KEYS]) {
        Ok(values) => json!({"values": values.len(), "why": null}),
        Err(refused) => json!({"why": format!("{refused:?}")}),
    }
}

/// Insert until nothing more is taken, then delete everything and insert once more.
pub(crate) fn sql_flood() -> Value {
    let run = |sql: &str, values: &[SqlValue]| database::execute(sql, values).map_err(|error| told(&error));
    if let Err(refused) = run("CREATE TABLE IF NOT EXISTS flood (bytes BLOB NOT NULL)", &[]) {
        return json!({"why": refused});
    }
    let row = [SqlValue::Blob(vec![b'x'; ROW_BYTES])];
    for written in 0..WRITES {
        if let Err(refused) = run("INSERT INTO flood VALUES ($1)", &row) {
            let freed = run("DELETE FROM flood", &[]).is_ok();
            let again = run("INSERT INTO flood VALUES ($1)", &row).is_ok();
            return json!({"written": written, "why": refused, "freed": freed, "again": again});
        }
    }
    json!({"written": WRITES, "why": null})
}

/// A statement that would run for an hour.
pub(crate) fn sql_hour() -> Value {
    query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0")
}

/// A million rows.
pub(crate) fn sql_rows() -> Value {
    query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT i FROM n")
}

/// One value of a gigabyte.
pub(crate) fn sql_value() -> Value {
    query("SELECT length(hex(zeroblob(500000000)))")
}

/// Few rows, but a gigabyte of them.
pub(crate) fn sql_wide() -> Value {
    query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT zeroblob(1000000) FROM n")
}

fn query(sql: &str) -> Value {
    match database::query(sql, &[]) {
        Ok(result) => json!({"rows": result.rows.len(), "why": null}),
        Err(refused) => json!({"why": told(&refused)}),
    }
}

fn told(error: &Error) -> String {
    format!("{error:?}")
}
