//! Requests as most tests make them: one for each connection, answered as a whole.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::Value;

use crate::exchange::{Exchange, Head};
use crate::subset;

/// Where requests go.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

/// A request in the making.
#[derive(Debug, Clone)]
pub struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status and headers.
    pub head: Head,
    /// All of the body.
    pub body: Vec<u8>,
}

impl Client {
    /// Requests to this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where they go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Any request.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let (method, target) = (method.to_owned(), target.to_owned());
        Request { address: self.address, method, target, headers: Vec::new(), body: None }
    }

    /// GET it.
    pub fn get(&self, target: &str) -> anyhow::Result<Answer> {
        self.request("GET", target).send()
    }

    /// POST JSON.
    pub fn post(&self, target: &str, body: &Value) -> anyhow::Result<Answer> {
        self.request("POST", target).json(body).send()
    }

    /// PUT JSON.
    pub fn put(&self, target: &str, body: &Value) -> anyhow::Result<Answer> {
        self.request("PUT", target).json(body).send()
    }
}

impl Request {
    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// Send it and do not wait for the answer.
    pub fn start(&self) -> anyhow::Result<Exchange> {
        let mut exchange = Exchange::open(self.address)?;
        exchange.send(&self.bytes())?;
        Ok(exchange)
    }

    /// Send so many bytes of it at the most, and no more.
    pub fn begin(&self, bytes_max: usize) -> anyhow::Result<Exchange> {
        let bytes = self.bytes();
        let mut exchange = Exchange::open(self.address)?;
        exchange.send(bytes.get(..bytes_max).unwrap_or(&bytes))?;
        Ok(exchange)
    }

    /// Send it and wait for the whole answer.
    pub fn send(&self) -> anyhow::Result<Answer> {
        let told = || format!("{} {}", self.method, self.target);
        let mut exchange = self.start().with_context(told)?;
        let head = exchange.head().with_context(told)?;
        let body = if self.method == "HEAD" { Vec::new() } else { exchange.body(&head).with_context(told)? };
        Ok(Answer { head, body })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: hull.test\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            // Writing to a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{} {:?}", self.status(), self.text()))
    }

    /// This answer, if it has that status.
    pub fn expect(self, status: u16) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status() == status, "{} instead of {status}: {}", self.status(), self.text());
        Ok(self)
    }

    /// The body as JSON, if the status is that one and the body has at least these parts.
    pub fn expect_json(self, status: u16, expected: &Value) -> anyhow::Result<Value> {
        let value = self.expect(status)?.json()?;
        match subset::difference(expected, &value) {
            None => Ok(value),
            Some(difference) => anyhow::bail!("{difference}; the whole: {value}"),
        }
    }
}
