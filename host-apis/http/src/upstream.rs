//! A server elsewhere that answers what no component answers yet: requests go on to it and its answers come back, both
//! as streams, over connections that are kept. Admission and deadlines are the door's, as for every component.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use hull_dispatch::{Body, BodyError, Invoke};
use hull_invocation::{ComponentId, CountRejected, Event, EventOutcome, Failure, Invocation, Resource};
use hyper_util::client::legacy::Error as ClientError;
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use crate::body::within;
use crate::connector::CONNECT_TIME;
use crate::egress::{PooledClient, pooled_client};
use crate::policy::AllowedHosts;

/// What is to be known of an upstream.
pub struct UpstreamConfig {
    /// Its name, among the components of its app.
    pub id: ComponentId,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Where it is.
    pub authority: Authority,
    /// Whether it is sent the `Host` that the client asked for.
    pub keeps_host: bool,
    /// The body of an answer, in bytes; that of a request is bounded where it comes in.
    pub body_bytes_max: u64,
    /// Counts what is refused for a bound.
    pub rejected: Arc<dyn CountRejected>,
}

/// A server elsewhere, and the connections to it.
pub struct Upstream {
    config: UpstreamConfig,
    client: PooledClient,
}

/// What became of a request's own body, if it did not come to its end.
type Broken = Arc<OnceLock<BodyError>>;

impl Upstream {
    /// Nothing is connected before the first request.
    pub fn new(config: UpstreamConfig) -> Self {
        let allowed = Arc::new(AllowedHosts::of_upstream(config.id.clone()));
        Self { client: pooled_client(&allowed), config }
    }

    fn outgoing(&self, request: Request<Body>, broken: &Broken) -> Result<Request<WasiBody>, Failure> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let uri = Uri::builder()
            .scheme(self.config.scheme.clone())
            .authority(self.config.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|error| Failure::BadRequest(error.to_string()))?;
        let noted = Arc::clone(broken);
        let body = body.map_err(move |error| {
            // Only the first one is the reason.
            let _ = noted.set(error);
            WasiError::ConnectionTerminated
        });
        let mut outgoing = Request::new(body.boxed_unsync());
        *outgoing.method_mut() = parts.method;
        *outgoing.uri_mut() = uri;
        *outgoing.version_mut() = Version::HTTP_11;
        *outgoing.headers_mut() = parts.headers;
        if !self.config.keeps_host {
            // The client puts in the one of the URL.
            outgoing.headers_mut().remove(HOST);
        }
        Ok(outgoing)
    }

    fn failed(&self, error: &ClientError, broken: &Broken) -> Failure {
        let component = self.config.id.clone();
        if let Some(error) = broken.get() {
            return Failure::BadRequest(format!("the request's body broke off: {error}"));
        }
        if error.is_connect() && is_timeout(error) {
            return Failure::DeadlineExceeded { component, after: CONNECT_TIME };
        }
        let message = whole_text(error);
        if error.is_connect() {
            Failure::Unreachable { component, message }
        } else {
            Failure::NoResponse { component, message }
        }
    }
}

#[async_trait]
impl Invoke for Upstream {
    async fn http(&self, invocation: Invocation, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let broken = Broken::default();
        let outgoing = self.outgoing(request, &broken)?;
        let answer = self.client.request(outgoing).await.map_err(|error| self.failed(&error, &broken))?;
        let UpstreamConfig { id, body_bytes_max, rejected, .. } = &self.config;
        if answer.body().size_hint().lower() > *body_bytes_max {
            rejected.rejected(Resource::OutboundBody);
            let message = format!("its answer is larger than {body_bytes_max} bytes (body-max)");
            return Err(Failure::NoResponse { component: id.clone(), message });
        }
        let slot = invocation.slot;
        let limit_bytes = *body_bytes_max;
        Ok(answer.map(|body| {
            let body = body.map_err(move |error| {
                // Its place is free when the last byte has come.
                let _held = &slot;
                BodyError::Peer(error.to_string())
            });
            within(limit_bytes, rejected, body, move |_| BodyError::TooLarge { limit_bytes })
        }))
    }

    async fn event(&self, _: Invocation, _: Event, _: u32, _: bool) -> Result<EventOutcome, Failure> {
        Err(Failure::NoHandler { component: self.config.id.clone(), handler: "hull:messaging/handler" })
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn is_timeout(error: &ClientError) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|io| io.kind() == io::ErrorKind::TimedOut)
}

/// With every cause: what the client says itself is not much.
fn whole_text(error: &ClientError) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
