//! Events: a handler that never ends, and one that answers each event with several of its kind.

use hull_sdk::bindings;
use hull_sdk::bindings::exports::hull::messaging::handler::{Event, Guest, Outcome};
use hull_sdk::bindings::hull::messaging::{producer, request_reply, types};
use hull_sdk::config;
use serde_json::{Value, json};

use crate::cpu;

/// Events that each event leads to.
const CHILDREN: usize = 4;
/// How long to wait for an answer, in milliseconds: longer than anybody lets it.
const ASK_MS: u32 = 3_600_000;

struct Handler;

impl Guest for Handler {
    fn handle(event: Event) -> Outcome {
        // As JSON or as it is.
        match String::from_utf8_lossy(&event.payload).trim_matches('"') {
            "loop" => cpu::spin(),
            "sleep" => drop(cpu::sleep()),
            "ask" => drop(ask(&event.subject)),
            text if text.starts_with("reject") => return Outcome::Reject("by intent".to_owned()),
            "storm" => {
                let _ = storm(&event.subject);
            }
            _ => {}
        }
        Outcome::Ok
    }
}

bindings::export!(Handler);

/// Ask whoever handles this subject, which is oneself.
fn ask(subject: &str) -> Result<types::Reply, types::Error> {
    request_reply::request(&message(subject, "ask"), ASK_MS)
}

fn message(subject: &str, payload: &str) -> types::Message {
    let payload = payload.as_bytes().to_vec();
    types::Message { subject: subject.to_owned(), id: None, headers: Vec::new(), payload, deliver_at: None }
}

fn storm(subject: &str) -> (usize, String) {
    let mut refused = String::new();
    let mut published = 0;
    for _ in 0..CHILDREN {
        match producer::publish(&message(subject, "storm")) {
            Ok(_) => published += 1,
            Err(error) => refused = format!("{error:?}"),
        }
    }
    (published, refused)
}

/// The first events of the storm, to the subject that is the setting `subject`.
pub(crate) fn start() -> Value {
    let (published, why) = storm(&config::get("subject").ok().flatten().unwrap_or_default());
    json!({"published": published, "why": why})
}
