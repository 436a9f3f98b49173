//! `hull invoke`: one request to a component, past the gateway's routes. Prints what the component answers, and fails
//! if that says that the request did.

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::admin::{Call, Client, refusal};
use crate::failure::AlreadyTold;
use crate::options::InvokeOptions;
use crate::{payload, terminal};

/// Marks an answer of the component; what has no such header is the host's own.
const INVOKED: &str = "x-hull-invoked";
/// With `--json` the body is held in memory, up to so many bytes; without, it is printed as it comes.
const JSON_BODY_BYTES_MAX: usize = 16 << 20;

/// Send the request and print the answer.
pub(crate) async fn run(options: &InvokeOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let mut call = Call::new(Method::POST, format!("{app}/components/{}/invoke", options.component))
        .query([("method", options.method.to_string()), ("path", options.path.clone())])
        .of_invocation();
    if let Some(data) = &options.data {
        let content = payload::of_argument(data)?;
        let kind = options.content_type.as_deref().unwrap_or_else(|| payload::kind_of(&content)).to_owned();
        call = call.body(&kind, content)?;
    }
    let mut response = client.send(call).await?;
    if response.headers_mut().remove(INVOKED).is_none() {
        return Err(refusal(response).await);
    }
    let status = response.status();
    if options.host.json {
        print_as_json(response).await?;
    } else {
        print_as_it_comes(response, options.include).await?;
    }
    if status.is_client_error() || status.is_server_error() {
        if !options.host.json && !options.include {
            eprintln!("{} answered {status}", options.component);
        }
        return Err(AlreadyTold.into());
    }
    Ok(())
}

async fn print_as_it_comes(response: Response<Incoming>, include: bool) -> anyhow::Result<()> {
    let (head, mut body) = response.into_parts();
    if include {
        terminal::print(&render_head(head.status, &head.headers))?;
    }
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.context("the answer broke off")?.into_data() {
            terminal::print_bytes(&data)?;
        }
    }
    Ok(())
}

async fn print_as_json(response: Response<Incoming>) -> anyhow::Result<()> {
    let (head, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, JSON_BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error.to_string()).context("the answer cannot be read"))?;
    terminal::print_json(&as_json(head.status, &head.headers, &body.to_bytes()))
}

fn render_head(status: StatusCode, headers: &HeaderMap) -> String {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", terminal::harmless(&String::from_utf8_lossy(value.as_bytes()))));
    format!("{status}\n{}\n", lines.collect::<String>())
}

/// `body` is text, or null for what is no text: then `body_bytes` alone tells how much it was.
fn as_json(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Value {
    let mut fields = Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let values: Vec<_> = values.collect();
        fields.insert(name.to_string(), Value::String(values.join(", ")));
    }
    json!({
        "status": status.as_u16(),
        "headers": fields,
        "body": std::str::from_utf8(body).ok(),
        "body_bytes": body.len(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::{as_json, render_head};

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(header::VARY, HeaderValue::from_static("a"));
        headers.append(header::VARY, HeaderValue::from_static("b"));
        headers
    }

    #[test]
    fn heads_are_shown_line_by_line() {
        assert_eq!(render_head(StatusCode::CREATED, &headers()), "201 Created\nvary: a\nvary: b\n\n");
    }

    #[test]
    fn answers_as_json() {
        let json = as_json(StatusCode::OK, &headers(), &Bytes::from_static(b"hi"));
        assert_eq!((&json["status"], &json["body"]), (&200.into(), &"hi".into()));
        assert_eq!(json["headers"]["vary"], "a, b");
        let json = as_json(StatusCode::OK, &HeaderMap::new(), &Bytes::from_static(b"\xff\xfe"));
        assert_eq!((&json["body"], &json["body_bytes"]), (&serde_json::Value::Null, &2.into()));
    }
}
