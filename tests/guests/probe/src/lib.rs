//! The component that tests put to every use: it does what a script in the request or in the event says, so that a
//! test shows cause and effect in one place.

mod answer;
mod events;
mod misbehave;
mod op;
mod outgoing;
mod script;
mod stream;
mod surroundings;

use hull_sdk::wasip2;
use serde_json::json;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

use answer::Answer;

struct Probe;

impl wasip2::exports::http::incoming_handler::Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        if std::env::var("PROBE_ALWAYS").is_ok_and(|always| always == "trap") {
            misbehave::trap();
        }
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path.rsplit('/').next().unwrap_or_default() {
            "health" => answer::json(out, 200, &json!({"status": "ok", "parts": {}})),
            "hello" => answer::text(out, 200, "Hello from the probe.\n"),
            "echo" => echo(&request, out),
            "run" => run(&request, out),
            "run-then" => run_then(&request, out, b"later\n"),
            "run-then-empty" => run_then(&request, out, b""),
            "upload" => stream::count(&request, out),
            "download" => stream::generate(number(query, "bytes"), out),
            "copy" => stream::copy(&request, out),
            "no-response" => drop(out),
            "error-response" => misbehave::error_response(out),
            "half-body" => misbehave::half_body(out),
            "trap-in-body" => misbehave::trap_in_body(out),
            "told-body" => misbehave::wrong_length(out, 4, 4),
            "short-body" => misbehave::wrong_length(out, 10, 4),
            "long-body" => misbehave::wrong_length(out, 4, 10),
            _ => answer::json(out, 404, &json!({"asked": target})),
        }
    }
}

wasip2::http::proxy::export!(Probe);

fn number(query: &str, name: &str) -> u64 {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// The request as it arrived.
fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let headers: Vec<(String, String)> = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let by_name: serde_json::Map<String, serde_json::Value> =
        headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let (body, trailers) = stream::whole(request);
    let told = json!({
        "method": method(&request.method()),
        "target": request.path_with_query(),
        "authority": request.authority(),
        "scheme": format!("{:?}", request.scheme()),
        "headers": by_name,
        "header_count": headers.len(),
        "body": body.as_ref().ok().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        "broken": body.err(),
        "trailers": trailers,
    });
    answer::json(out, 200, &told);
}

fn method(method: &Method) -> String {
    match method {
        Method::Other(name) => name.clone(),
        known => format!("{known:?}").trim_start_matches("Method::").to_uppercase(),
    }
}

/// Run the script in the body, then answer with its results.
fn run(request: &IncomingRequest, out: ResponseOutparam) {
    match read_script(request) {
        Ok(script) => answer::json(out, 200, &script::run(script)),
        Err(why) => answer::text(out, 400, &why),
    }
}

/// Answer first, with a complete response, then run the script.
fn run_then(request: &IncomingRequest, out: ResponseOutparam, body: &[u8]) {
    match read_script(request) {
        Ok(script) => {
            let length: &[(&str, &str)] = if body.is_empty() { &[("content-length", "0")] } else { &[] };
            if let Some(answer) = Answer::begin(out, 202, length) {
                answer.end(body);
            }
            script::run(script);
        }
        Err(why) => answer::text(out, 400, &why),
    }
}

fn read_script(request: &IncomingRequest) -> Result<Vec<op::Step>, String> {
    let (body, _) = stream::whole(request);
    let mut script = body?;
    if script.is_empty() {
        // A request that has no body brings it in a header.
        script = request.headers().get("x-script").into_iter().next().unwrap_or_default();
    }
    serde_json::from_slice(&script).map_err(|e| format!("no script: {e}"))
}
