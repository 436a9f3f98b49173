//! A request as handlers see it: `http` parts, the path's parameters, the whole (bounded) body.

use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::json;
use crate::problem::Problem;
use crate::query::Query;

/// Larger bodies are refused with 413; who needs more reads the stream with `wasip2` itself.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A request with its whole body.
#[derive(Debug)]
pub struct Request {
    parts: Parts,
    params: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request that was read; a host's request or one made by a test.
    pub fn new(request: http::Request<Vec<u8>>) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, params: Vec::new(), body }
    }

    pub(crate) fn with_params(mut self, params: Vec<(&'static str, String)>) -> Self {
        self.params = params;
        self
    }

    /// Method, URI and headers.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// A header's text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// What stood in the path at `:name`.
    pub fn param(&self, name: &str) -> Result<&str> {
        let found = self.params.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        found.ok_or_else(|| Error::Fault(format!("the route has no parameter :{name}")))
    }

    /// The query's parameters.
    pub fn query(&self) -> Query<'_> {
        Query::parse(self.parts.uri.query().unwrap_or_default())
    }

    /// The body's bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON; what does not fit is a 4xx that names the field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let kind = self.header("content-type").unwrap_or("application/json");
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") && !essence.ends_with("+json") {
            let told = format!("the body is {kind}; send application/json");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, told).into());
        }
        Ok(json::parse(&self.body)?)
    }
}
