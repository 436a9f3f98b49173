//! One repository of a registry: its manifests and blobs, and the token that it asks for.

use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use hull_manifest::{Digest, is_loopback};
use hyper::body::Incoming;
use serde_json::Value;
use url::Url;

use super::challenge::Challenge;
use super::credentials;
use super::manifest::MEDIA_TYPES;
use crate::body::Coming;
use crate::failed::Why;
use crate::follow::{self, Followed, shown};
use crate::reference::OciReference;
use crate::transport::Transport;

/// As the specification has it: no registry need take a longer one.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// The answer with a token, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// One repository.
pub(crate) struct Repository<'a> {
    transport: &'a Transport,
    reference: &'a OciReference,
    authorization: Option<HeaderValue>,
}

impl<'a> Repository<'a> {
    pub(super) fn new(transport: &'a Transport, reference: &'a OciReference) -> Self {
        Self { transport, reference, authorization: None }
    }

    /// Host and name.
    pub(crate) fn shown(&self) -> String {
        format!("oci://{}/{}", self.reference.registry, self.reference.repository)
    }

    /// The manifest of a tag or a digest.
    pub(super) async fn manifest(&mut self, wanted: &str) -> Result<Vec<u8>, Why> {
        let accept = HeaderValue::from_str(&MEDIA_TYPES.join(", ")).ok();
        let answer = self.get(&format!("manifests/{wanted}"), accept.as_ref()).await?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !MEDIA_TYPES.contains(&kind) {
            let what = format!("the manifest of {} came as {kind:?}, and not as {:?}", self.reference, MEDIA_TYPES[0]);
            return Err(Why::Registry(what));
        }
        Coming::of(answer, &format!("the manifest of {}", self.reference), MANIFEST_BYTES_MAX)?.whole().await
    }

    /// A blob; its bytes are the caller's to check.
    pub(crate) async fn blob(&mut self, digest: &Digest) -> Result<Response<Incoming>, Why> {
        self.get(&format!("blobs/{digest}"), None).await
    }

    async fn get(&mut self, path: &str, accept: Option<&HeaderValue>) -> Result<Response<Incoming>, Why> {
        let mut url = self.reference.registry.base().clone();
        // Both were checked when they were parsed: there are no dots that lead anywhere.
        url.set_path(&format!("v2/{}/{path}", self.reference.repository));
        let Followed { mut answer, is_first_hand } =
            follow::get(self.transport, &url, accept, self.authorization.as_ref()).await?;
        // Who is somewhere else does not ask in the registry's name.
        if answer.status() == StatusCode::UNAUTHORIZED && is_first_hand && self.authorization.is_none() {
            self.authorization = self.authorize(&answer).await?;
            answer = follow::get(self.transport, &url, accept, self.authorization.as_ref()).await?.answer;
        }
        let status = answer.status();
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; log in with `docker login`, `oras login` or the like"
            }
            StatusCode::NOT_FOUND => "; it is not there, or it is private: log in with `docker login` or the like",
            _ => "",
        };
        if status.is_success() { Ok(answer) } else { Err(Why::Status { what: shown(&url), status, hint }) }
    }

    /// What the registry asks for, if this user may have it.
    async fn authorize(&self, answer: &Response<Incoming>) -> Result<Option<HeaderValue>, Why> {
        let own = credentials::of(&self.reference.registry);
        let mut asked = answer.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        match asked.find_map(Challenge::read) {
            None => Ok(None),
            Some(Challenge::Basic) => Ok(own),
            Some(Challenge::Bearer { realm, service }) => {
                let realm = self.realm(&realm, service.as_deref())?;
                self.token(&realm, own.as_ref()).await.map(Some)
            }
        }
    }

    /// Where the token is given out, with what is asked for: to read this repository, whatever the registry suggests.
    fn realm(&self, realm: &str, service: Option<&str>) -> Result<Url, Why> {
        let refused = |why| Why::Redirect { to: realm.to_owned(), why };
        let mut url: Url = realm.parse().map_err(|_| refused("which is no URL"))?;
        if is_loopback(&url) && !self.reference.registry.is_loopback() {
            return Err(refused("which is on this machine"));
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(refused("without TLS"));
        }
        let scope = format!("repository:{}:pull", self.reference.repository);
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        Ok(url)
    }

    async fn token(&self, realm: &Url, own: Option<&HeaderValue>) -> Result<HeaderValue, Why> {
        let what = format!("the token of {}", shown(realm));
        let answer = follow::get(self.transport, realm, None, own).await?.answer;
        if !answer.status().is_success() {
            let hint = "; log in with `docker login`, `oras login` or the like";
            return Err(Why::Status { what, status: answer.status(), hint });
        }
        let text = Coming::of(answer, &what, TOKEN_BYTES_MAX)?.whole().await?;
        let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
        let token = answer.get("token").or(answer.get("access_token")).and_then(Value::as_str);
        let value = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let mut value =
            value.ok_or_else(|| Why::Registry(format!("{what} is none that can be sent as {AUTHORIZATION}")))?;
        value.set_sensitive(true);
        Ok(value)
    }
}
