//! A clerk who writes lines into lists that nothing but the host keeps straight: the line and its event in one unit of
//! work, the handler's line and its own event in the next, the last line in the third.

use std::time::Duration;

use serde_json::{Value, json};

use crate::journal::Journal;
use crate::market::LISTS;
use crate::random::Random;
use crate::street::Street;

/// From one line to the next.
const BETWEEN: Duration = Duration::from_millis(60);
/// How long most lines are at the most, and how long one of ten.
const SHORT_BYTES_MAX: u64 = 2 * 1024;
const LONG_BYTES_MAX: u64 = 40 * 1024;

/// See the module.
pub(crate) struct Clerk<'a> {
    pub(crate) street: &'a Street,
    pub(crate) journal: &'a Journal,
    pub(crate) random: Random,
}

impl Clerk<'_> {
    /// Until the shop closes; a line that was begun then is written until that is answered.
    pub(crate) fn run(mut self) {
        while !self.street.is_closed() {
            let begun = hull_clock::now();
            let id = self.random.id();
            let script = script(&id, &mut self.random);
            let written = self.street.until_done(|client| {
                let answer = client.post(&format!("/{}/run", LISTS[0]), &script);
                self.journal.answered(answer.as_ref().map_or(0, hull_tests::http::Answer::status));
                let told = answer.and_then(|answer| answer.expect(200)?.json());
                told.is_ok_and(|told| is_written(&told)).then_some(())
            });
            if written.is_some() {
                self.journal.written(&id);
            }
            std::thread::sleep(BETWEEN.saturating_sub(begun.elapsed()));
        }
    }
}

/// The second time the line is there already; its event has the same id, which makes it the same event.
fn is_written(told: &Value) -> bool {
    let was_there = told.pointer("/results/1/error").is_some_and(|error| error == "constraint");
    told["failed"] == json!(u8::from(was_there))
}

/// A line of any length, told by handlers some of which fail before they end well.
fn script(id: &str, random: &mut Random) -> Value {
    let length_max = if random.percent(10) { LONG_BYTES_MAX } else { SHORT_BYTES_MAX };
    let text = "x".repeat(random.below(length_max) as usize);
    let sql = "INSERT INTO heard (id, text) VALUES ($1, $2)";
    let hear = json!({"do": "execute", "sql": sql, "params": [id, text]});
    // An id of its own each time: two of them are two events, also to the bus.
    let told = ending(&json!([hear]), random);
    let second = json!({"do": "publish", "subject": "lists.second", "payload": told});
    let first = ending(&json!([hear, second]), random);
    json!([
        {"do": "begin"},
        {"do": "execute", "sql": "INSERT INTO written (id) VALUES ($1)", "params": [id]},
        {"do": "publish", "subject": "lists.first", "id": id, "payload": first},
        {"do": "commit"},
    ])
}

/// Whatever a handler has done before it fails must not have happened.
fn ending(script: &Value, random: &mut Random) -> Value {
    match random.below(10) {
        0 => json!({"script": script, "then": "retry-first", "retry_ms": random.below(200)}),
        1 => json!({"script": script, "then": "trap-first"}),
        _ => json!({"script": script, "then": "fault"}),
    }
}
