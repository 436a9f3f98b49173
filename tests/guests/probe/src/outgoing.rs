//! Requests to others, from a script; a call to another probe carries a script of its own.

use hull_sdk::client;
use hull_sdk::http::{HeaderName, HeaderValue, Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::op::Fault;

/// A request to make.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    url: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    /// What the called one is to do, unevaluated.
    #[serde(default)]
    script: Option<Value>,
}

/// Make it; the answer's body is parsed if it is JSON.
pub(crate) fn call(call: &Call) -> Result<Value, Fault> {
    let body = call.script.as_ref().map(Value::to_string).or_else(|| call.body.clone()).unwrap_or_default();
    let method = call.method.as_deref().unwrap_or(if body.is_empty() { "GET" } else { "POST" });
    let wrong = |e: &dyn std::fmt::Display| Fault::new("bad-call", &e.to_string());
    let mut request = Request::new(body.into_bytes());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|e| wrong(&e))?;
    *request.uri_mut() = call.url.parse().map_err(|e| wrong(&e))?;
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| wrong(&e))?;
        request.headers_mut().append(name, HeaderValue::from_str(value).map_err(|e| wrong(&e))?);
    }
    let answer = client::send(request).map_err(|e| Fault::new("no-answer", &e.to_string()))?;
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(json!({"status": answer.status().as_u16(), "body": body}))
}
