//! Answers of the host: JSON, or a refusal that becomes an error to read.

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::is_about_token;
use crate::terminal::harmless;

/// An answer that is read as a whole is not longer than this, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How much of an answer is shown that is not a problem of the host's.
const SHOWN_CHARS_MAX: usize = 500;

/// What is said of an answer that cannot be read.
pub(crate) const UNEXPECTED: &str = "the host's answer is not what this command expects; are both of one version?";

/// RFC 9457, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
}

/// The JSON of an answer.
pub(crate) async fn read_json<T: DeserializeOwned>(response: Response<Incoming>) -> anyhow::Result<T> {
    let bytes = read(response).await?;
    serde_json::from_slice(&bytes).context(UNEXPECTED)
}

/// The error that an unsuccessful answer is.
pub(crate) async fn refusal(response: Response<Incoming>) -> anyhow::Error {
    let status = response.status();
    match read(response).await {
        Ok(bytes) => anyhow!(told(status, &bytes)),
        Err(error) => error.context(format!("the host answered {status}")),
    }
}

async fn read(response: Response<Incoming>) -> anyhow::Result<Bytes> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow!(error.to_string()).context("the host's answer broke off"))?;
    Ok(body.to_bytes())
}

fn told(status: StatusCode, body: &[u8]) -> String {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let said = [problem.detail, problem.title].into_iter().find(|text| !text.is_empty());
    let said = said.unwrap_or_else(|| {
        let text: String = String::from_utf8_lossy(body).chars().take(SHOWN_CHARS_MAX).collect();
        format!("{status} {text}").trim().to_owned()
    });
    let said: Vec<String> = said.split('\n').map(harmless).collect();
    let mut told = format!("the host refused: {}", said.join("\n"));
    if is_about_token(status) {
        told.push_str("; name the file with the token with --token-file, or set HULL_TOKEN");
    }
    told
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::told;

    #[test]
    fn refusals_say_what_the_host_says() {
        let problem = br#"{"type":"about:blank","title":"Not Found","detail":"there is no component `x`"}"#;
        assert_eq!(told(StatusCode::NOT_FOUND, problem), "the host refused: there is no component `x`");
        assert_eq!(told(StatusCode::NOT_FOUND, br#"{"title":"Not Found"}"#), "the host refused: Not Found");
        assert_eq!(
            told(StatusCode::CONFLICT, br#"{"detail":"this\n  and \u001bthat"}"#),
            "the host refused: this\n  and \u{fffd}that"
        );
        assert_eq!(told(StatusCode::BAD_GATEWAY, b"<html>\x1b"), "the host refused: 502 Bad Gateway <html>\u{fffd}");
        assert!(told(StatusCode::UNAUTHORIZED, b"").contains("--token-file"));
    }
}
