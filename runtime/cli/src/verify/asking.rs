//! Makes the requests of examples, past the gateway's routes, and reads the answers.

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderName, Method};
use http_body_util::{BodyExt as _, Limited};
use hull_contracts::{Answer, Interaction, Request, compare_answer};
use hull_manifest::Name;

use super::Suite;
use super::report::Outcome;
use crate::admin::{Call, Client, refusal};

/// An answer that is compared is not longer than this, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Marks an answer of the component; what has no such header is the host's own.
const INVOKED: &str = "x-hull-invoked";
/// Headers of the request go behind this.
const HEADER: &str = "x-hull-invoke-";

/// Whom to ask.
pub(super) struct Asking<'a> {
    pub(super) client: Client,
    pub(super) app: &'a Name,
    /// The revision that is being tried: nothing is changed there.
    pub(super) preview: bool,
}

impl Asking<'_> {
    /// Make one example's requests, and compare.
    pub(super) async fn verify(&self, suite: &Suite, interaction: &Interaction) -> anyhow::Result<Outcome> {
        let mut requests = interaction.given.iter().chain([&interaction.request]);
        let changes = |request: &Request| !["GET", "HEAD"].contains(&request.method.to_ascii_uppercase().as_str());
        if self.preview && requests.any(changes) {
            return Ok(Outcome::left_out(suite, interaction, "it would change real data"));
        }
        for given in &interaction.given {
            let answer = self.ask(&suite.provider, given).await?;
            if answer.status >= 400 {
                let why =
                    format!("{} {} is given before, and its answer was {}", given.method, given.path, answer.status);
                return Ok(Outcome::failed(suite, interaction, &why));
            }
        }
        match self.ask(&suite.provider, &interaction.request).await {
            Ok(answer) => Ok(Outcome::compared(suite, interaction, compare_answer(interaction, &answer))),
            Err(error) => Ok(Outcome::failed(suite, interaction, &format!("{error:#}"))),
        }
    }

    async fn ask(&self, provider: &Name, request: &Request) -> anyhow::Result<Answer> {
        let method: Method = request.method.parse().with_context(|| format!("{:?} is no method", request.method))?;
        let mut query = vec![("method", method.to_string()), ("path", request.target())];
        if self.preview {
            query.push(("preview", "true".to_owned()));
        }
        let path = format!("/v1/apps/{}/components/{provider}/invoke", self.app);
        let mut call = Call::new(Method::POST, path).query(query).of_invocation();
        for (name, value) in &request.headers {
            let name: HeaderName =
                format!("{HEADER}{name}").parse().with_context(|| format!("{name:?} is no header"))?;
            call = call.header(name, value)?;
        }
        if let Some(body) = &request.body {
            call = call.body("application/json", Bytes::from(body.to_string()))?;
        }
        let mut response = self.client.send(call).await?;
        if response.headers_mut().remove(INVOKED).is_none() {
            return Err(refusal(response).await);
        }
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error.to_string()).context("the answer cannot be read"))?;
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: serde_json::from_slice(&body.to_bytes()).ok(),
        })
    }
}
