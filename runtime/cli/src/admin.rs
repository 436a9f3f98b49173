//! The client of the admin API: finds the running host, sends one request, and makes readable errors of refusals.

mod answer;
mod connection;
mod discovery;

pub(crate) use self::answer::{UNEXPECTED, read_json, refusal};
pub(crate) use self::connection::RequestBody;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hull_manifest::{AdminAddress, Name};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use self::discovery::Found;
use crate::options::HostOptions;

/// How long the host may take to begin its answer to a question about itself.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// And where a component has to run first. What it may take is bounded by the host.
const INVOCATION_WAIT_MAX: Duration = Duration::from_mins(10);

/// And where components are sent and compiled first.
const DEPLOYMENT_WAIT_MAX: Duration = Duration::from_mins(30);

/// Run a command that talks to the host.
pub(crate) fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot set up the connection to the host")?.block_on(command)
}

/// A running host, as the options find it.
pub(crate) struct Client {
    address: AdminAddress,
    /// Where the address comes from, for the case that nobody is there.
    origin: String,
    authorization: Option<HeaderValue>,
    app: Option<Name>,
}

/// A request to the host.
pub(crate) struct Call {
    method: Method,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    stream: Option<RequestBody>,
    wait: Duration,
}

impl Call {
    /// A request for a path below the admin address. Paths are put together from names, which need no encoding.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let (target, headers, body) = (path.into(), Vec::new(), Bytes::new());
        Self { method, target, headers, body, stream: None, wait: ANSWER_WAIT_MAX }
    }

    /// With a query, encoded as forms are.
    #[must_use]
    pub(crate) fn query<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in pairs {
            query.append_pair(key, &value);
        }
        let query = query.finish();
        if !query.is_empty() {
            self.target = format!("{}?{query}", self.target);
        }
        self
    }

    /// With a header, if the text can be one.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> anyhow::Result<Self> {
        let parsed = HeaderValue::from_str(value);
        let parsed = parsed.with_context(|| format!("{value:?} cannot be sent as the header `{name}`"))?;
        self.headers.push((name, parsed));
        Ok(self)
    }

    /// With a body of that kind.
    pub(crate) fn body(mut self, kind: &str, body: Bytes) -> anyhow::Result<Self> {
        self.body = body;
        self.header(CONTENT_TYPE, kind)
    }

    /// With a body that is read while it is sent, and an answer that comes when everything has been made ready.
    #[must_use]
    pub(crate) fn deploying(mut self, stream: Option<RequestBody>) -> Self {
        self.stream = stream;
        self.wait = DEPLOYMENT_WAIT_MAX;
        self
    }

    /// A component runs before there is an answer.
    #[must_use]
    pub(crate) fn of_invocation(mut self) -> Self {
        self.wait = INVOCATION_WAIT_MAX;
        self
    }
}

impl Client {
    /// Find the host. Nothing is sent yet.
    pub(crate) fn find(options: &HostOptions) -> anyhow::Result<Self> {
        let Found { address, origin, token } = discovery::find(options)?;
        let header = |token: String| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"));
            if let Ok(value) = &mut value {
                value.set_sensitive(true);
            }
            value.context("the token has characters that no token has")
        };
        let authorization = token.map(header).transpose()?;
        Ok(Self { address, origin, authorization, app: options.app.clone() })
    }

    /// Send a request; the answer may be any.
    pub(crate) async fn send(&self, call: Call) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder().method(call.method).uri(&call.target).header(HOST, "localhost");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let body = call.stream.unwrap_or_else(|| Full::new(call.body).map_err(|never| match never {}).boxed());
        let request = request.body(body).context("the request cannot be sent")?;
        let answered = async {
            let mut sender = connection::open(&self.address, &self.origin).await?;
            sender.send_request(request).await.with_context(|| format!("the host at {} gave no answer", self.address))
        };
        let answer = tokio::time::timeout(call.wait, answered).await;
        answer.with_context(|| format!("the host at {} gave no answer within {:?}", self.address, call.wait))?
    }

    /// Send a request; an answer that is not a success is an error.
    pub(crate) async fn send_ok(&self, call: Call) -> anyhow::Result<Response<Incoming>> {
        let response = self.send(call).await?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    /// Send a request and read the JSON of its answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call) -> anyhow::Result<T> {
        read_json(self.send_ok(call).await?).await
    }

    /// Get JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.json(Call::new(Method::GET, path)).await
    }

    /// The path of the app that the options name, or of the only one: `/v1/apps/shop`.
    pub(crate) async fn app_path(&self) -> anyhow::Result<String> {
        let name = match &self.app {
            Some(name) => name.clone(),
            None => only_app(self.get("/v1/apps").await?)?,
        };
        Ok(format!("/v1/apps/{name}"))
    }

    /// An error unless the host runs that app.
    pub(crate) async fn require_app(&self, name: &Name) -> anyhow::Result<()> {
        let Apps { apps } = self.get("/v1/apps").await?;
        if apps.iter().any(|one| one.app == name.as_str()) {
            return Ok(());
        }
        let names: Vec<&str> = apps.iter().map(|one| one.app.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        bail!("the host runs no app {name}; what it runs: {names}")
    }

    /// The components of the app with that path.
    pub(crate) async fn components_of(&self, app_path: &str) -> anyhow::Result<Vec<Name>> {
        let Apps { apps } = self.get("/v1/apps").await?;
        let found = apps.into_iter().find(|one| app_path.strip_prefix("/v1/apps/") == Some(one.app.as_str()));
        let names = found.map(|one| one.components).unwrap_or_default();
        names.iter().map(|name| name.parse().context(UNEXPECTED)).collect()
    }
}

/// `GET /v1/apps`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Apps {
    apps: Vec<AppName>,
}

#[derive(Debug, Deserialize)]
struct AppName {
    app: String,
    #[serde(default)]
    components: Vec<String>,
}

fn only_app(Apps { apps }: Apps) -> anyhow::Result<Name> {
    match apps.as_slice() {
        [AppName { app, .. }] => app.parse().with_context(|| format!("the host says its app is called {app:?}")),
        [] => bail!("the host runs no app"),
        several => {
            let names: Vec<&str> = several.iter().map(|one| one.app.as_str()).collect();
            bail!("the host runs {}: say which one with --app", names.join(", "))
        }
    }
}

/// Whether the host says that it will not be asked so: the token is missing or does not allow it.
fn is_about_token(status: StatusCode) -> bool {
    status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Apps, Call, only_app};

    fn apps(names: &[&str]) -> Apps {
        let apps: Vec<_> = names.iter().map(|name| serde_json::json!({ "app": name, "version": "1" })).collect();
        serde_json::from_value(serde_json::json!({ "apps": apps })).expect("apps")
    }

    #[test]
    fn the_only_app_needs_no_name() {
        assert_eq!(only_app(apps(&["shop"])).expect("one").as_str(), "shop");
        assert!(only_app(apps(&[])).expect_err("none").to_string().contains("no app"));
        let told = only_app(apps(&["a", "b"])).expect_err("two").to_string();
        assert!(told.contains("a, b") && told.contains("--app"), "{told}");
        assert!(only_app(apps(&["../x"])).is_err());
    }

    #[test]
    fn queries_are_encoded() {
        let call = Call::new(Method::GET, "/x").query([("path", "/a?b=c&d".to_owned()), ("m", "GET".to_owned())]);
        assert_eq!(call.target, "/x?path=%2Fa%3Fb%3Dc%26d&m=GET");
        assert_eq!(Call::new(Method::GET, "/x").query([]).target, "/x");
    }
}
