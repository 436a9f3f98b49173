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
            let script = script(&id);
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

fn script(id: &str) -> Value {
    let hear = json!({"do": "execute", "sql": "INSERT INTO heard (id) VALUES ($1)", "params": [id]});
    // An id of its own each time: two of them are two events, also to the bus.
    let second = json!({"do": "publish", "subject": "lists.second", "payload": {"script": [hear], "then": "fault"}});
    let first = json!({"script": [hear, second], "then": "fault"});
    json!([
        {"do": "begin"},
        {"do": "execute", "sql": "INSERT INTO written (id) VALUES ($1)", "params": [id]},
        {"do": "publish", "subject": "lists.first", "id": id, "payload": first},
        {"do": "commit"},
    ])
}
