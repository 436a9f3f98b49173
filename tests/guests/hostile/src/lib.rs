//! What a guest can do to its host and its neighbours: one hostile behaviour per path. Each is as simple as it can be,
//! so that what ends it is the host's doing and not its own.

mod answer;
mod calls;
mod cpu;
mod events;
mod http;
mod memory;
mod storage;

use hull_sdk::wasip2;
use serde_json::json;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Hostile;

impl wasip2::exports::http::incoming_handler::Guest for Hostile {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let told = match target.rsplit('/').next().unwrap_or_default() {
            "hello" => json!("Hello."),
            "loop" => cpu::spin(),
            "clock-storm" => cpu::clock_storm(),
            "keyvalue-storm" => cpu::keyvalue_storm(),
            "recurse" => json!(cpu::recurse(0)),
            "panic" => panic!("by intent"),
            "sleep" => cpu::sleep(),
            "log-flood" => cpu::log_flood(),
            "grow" => memory::grow(),
            "fields" => memory::fields(),
            "pollables" => memory::pollables(),
            "random" => memory::random(),
            "zeroes" => memory::zeroes(),
            "headers" => memory::headers(),
            "calls-in-turn" => calls::in_turn(),
            "calls-at-once" => calls::at_once(),
            "fork" => calls::fork(),
            "ring" => calls::ring(),
            "outside" => calls::outside(),
            "send-endlessly" => calls::send_endlessly(),
            "leave-unread" => calls::leave_unread(),
            "keyvalue-fill" => storage::keyvalue_fill(),
            "keyvalue-flood" => storage::keyvalue_flood(),
            "keyvalue-gather" => storage::keyvalue_gather(),
            "sql-flood" => storage::sql_flood(),
            "sql-hour" => storage::sql_hour(),
            "sql-rows" => storage::sql_rows(),
            "sql-value" => storage::sql_value(),
            "sql-wide" => storage::sql_wide(),
            "publish" => events::start(),
            "unfinished" => return http::unfinished(out),
            "endless-body" => return http::endless_body(out),
            "unread" => return http::unread(request, out),
            _ => json!({"asked": target}),
        };
        answer::json(out, &told);
    }
}

wasip2::http::proxy::export!(Hostile);
