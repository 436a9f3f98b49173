//! Events: the payload says what to do and how the handler is to end.

use std::time::Duration;

use hull_sdk::bindings;
use hull_sdk::bindings::exports::hull::messaging::handler::{Event, Guest, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::misbehave;
use crate::script::{self, Scope};

/// The payload of an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Orders {
    /// Steps; `@id`, `@subject`, `@source`, `@attempt`, `@correlation` and `@hops` stand for facts about the event.
    script: Value,
    /// How to end: `ok`, `retry`, `reject`, `trap`, or `fault` (retry when a step has failed); `retry-first` and
    /// `trap-first` are that at the first attempt and `fault` from then on.
    then: String,
    /// From this attempt on, end well whatever `then` says.
    ok_from: Option<u32>,
    retry_ms: Option<u64>,
    /// Which components this is meant for; the others end well at once.
    only: Option<String>,
}

struct Handler;

impl Guest for Handler {
    fn handle(event: Event) -> Outcome {
        let orders: Orders = match serde_json::from_slice(&event.payload) {
            Ok(orders) => orders,
            Err(why) => return Outcome::Reject(format!("no orders: {why}")),
        };
        let me = hull_sdk::config::get("name").ok().flatten();
        if orders.only.is_some() && orders.only != me {
            return Outcome::Ok;
        }
        let failed = match run(&event, &orders.script) {
            Ok(failed) => failed,
            Err(why) => return Outcome::Reject(why),
        };
        if orders.ok_from.is_some_and(|from| event.attempt >= from) {
            return Outcome::Ok;
        }
        match orders.then.as_str() {
            "retry" => Outcome::Retry(orders.retry_ms),
            "retry-first" if event.attempt == 1 => Outcome::Retry(orders.retry_ms),
            "trap-first" if event.attempt == 1 => misbehave::trap(),
            "fault" | "retry-first" | "trap-first" if failed > 0 => Outcome::Retry(orders.retry_ms),
            "reject" => Outcome::Reject("by intent".to_owned()),
            "trap" => misbehave::trap(),
            "sleep" => {
                hull_sdk::clock::sleep(Duration::from_mins(60));
                Outcome::Ok
            }
            _ => Outcome::Ok,
        }
    }
}

bindings::export!(Handler);

fn run(event: &Event, script: &Value) -> Result<u64, String> {
    if script.is_null() {
        return Ok(0);
    }
    let header = |name: &str| {
        event.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let scope = Scope::event(vec![
        ("@id", event.id.clone()),
        ("@subject", event.subject.clone()),
        ("@source", event.source.clone()),
        ("@attempt", event.attempt.to_string()),
        ("@expects-reply", event.expects_reply.to_string()),
        ("@correlation", header("x-correlation-id").unwrap_or_default()),
        ("@hops", header("x-hull-hops").unwrap_or_default()),
        ("@payload", String::from_utf8_lossy(&event.payload).into_owned()),
    ]);
    let steps = serde_json::from_value(scope.resolved(script)).map_err(|why| format!("no script: {why}"))?;
    let told = script::run(steps);
    Ok(told.get("failed").and_then(Value::as_u64).unwrap_or(0))
}
