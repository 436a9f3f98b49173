//! One look at a request's headers: who is asked, which ids it carries, what must not go on to a guest.

use std::fmt::Write as _;

use http::header::{CONNECTION, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use hull_invocation::{RequestId, TraceContext};
use hull_telemetry::LogIds;

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The answer must be complete within so many milliseconds, says the client.
const CLIENT_TIMEOUT: &str = "x-request-timeout-ms";

/// `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const TRACEPARENT_LENGTH: usize = 55;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) host: HostSeen,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) values_are_utf8: bool,
    has_hop_by_hop: bool,
    has_spin: bool,
    request_id: Option<(RequestId, HeaderValue)>,
    correlation_id: Option<(RequestId, HeaderValue)>,
    trace: Option<TraceContext>,
}

/// The `Host` headers of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum HostSeen {
    #[default]
    None,
    Valid,
    Invalid,
    Several,
}

/// The ids of a request, and the same as headers.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) log: LogIds,
    request_id: HeaderValue,
    correlation_id: HeaderValue,
    traceparent: HeaderValue,
}

impl Survey {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut survey = Self { values_are_utf8: true, ..Self::default() };
        for (name, value) in headers {
            let bytes = value.as_bytes();
            survey.values_are_utf8 &= bytes.is_ascii() || std::str::from_utf8(bytes).is_ok();
            match name.as_str() {
                "host" => {
                    survey.host = match survey.host {
                        HostSeen::None if is_host(bytes) => HostSeen::Valid,
                        HostSeen::None => HostSeen::Invalid,
                        _ => HostSeen::Several,
                    };
                }
                "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade" => {
                    survey.has_hop_by_hop = true;
                }
                "x-request-id" => survey.request_id = accepted_id(value),
                "x-correlation-id" => survey.correlation_id = accepted_id(value),
                "traceparent" => survey.trace = value.to_str().ok().and_then(TraceContext::parse),
                CLIENT_TIMEOUT => survey.timeout_ms = value.to_str().ok().and_then(|text| text.parse().ok()),
                name => survey.has_spin |= name.starts_with("spin-"),
            }
        }
        survey
    }

    /// The ids that came, and new ones for those that did not.
    pub(crate) fn ids(&mut self) -> Ids {
        let (id, request_id) = self.request_id.take().unwrap_or_else(|| {
            let id = RequestId::from_bytes(hull_clock::random_bytes());
            let value = header_value(id.as_str());
            (id, value)
        });
        let (correlation, correlation_id) =
            self.correlation_id.take().unwrap_or_else(|| (id.clone(), request_id.clone()));
        let span = hull_clock::random_u64();
        let trace = match self.trace {
            Some(trace) => trace.child(span),
            None => TraceContext::root(hull_clock::random_bytes(), span),
        };
        let mut traceparent = String::with_capacity(TRACEPARENT_LENGTH);
        // Writing to a string cannot fail.
        let _ = write!(traceparent, "{trace}");
        let traceparent = HeaderValue::try_from(traceparent).unwrap_or_else(|_| HeaderValue::from_static(""));
        let log = LogIds { request_id: id, correlation_id: correlation, trace };
        Ids { log, request_id, correlation_id, traceparent }
    }

    /// Take out what is meant for this connection only, and what would pass for a word of the gateway's.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        if self.has_hop_by_hop {
            remove_hop_by_hop(headers);
        }
        if self.has_spin {
            let spin = |name: &&HeaderName| name.as_str().starts_with("spin-");
            let names: Vec<HeaderName> = headers.keys().filter(spin).cloned().collect();
            for name in names {
                headers.remove(name);
            }
        }
    }
}

impl Ids {
    /// Put the ids into a request for a guest, or into an answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID.clone(), self.request_id.clone());
        headers.insert(CORRELATION_ID.clone(), self.correlation_id.clone());
        headers.insert(TRACEPARENT.clone(), self.traceparent.clone());
    }
}

/// Take out the headers that concern one connection (RFC 9110, 7.6.1), if there are any.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let hop_by_hop = [&CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &TE, &KEEP_ALIVE, &PROXY_CONNECTION];
    if headers.keys().any(|name| hop_by_hop.contains(&name)) {
        remove_hop_by_hop(headers);
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let nominated: Vec<HeaderName> = lines
        .flat_map(|line| line.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        // A client cannot have the gateway forget whom it asked.
        .filter(|name| *name != HOST)
        .collect();
    for name in nominated {
        headers.remove(name);
    }
    for name in [&CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &TE, &KEEP_ALIVE, &PROXY_CONNECTION] {
        headers.remove(name);
    }
}

fn accepted_id(value: &HeaderValue) -> Option<(RequestId, HeaderValue)> {
    let id = RequestId::parse(value.to_str().ok()?).ok()?;
    Some((id, value.clone()))
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `uri-host [ ":" port ]` of RFC 9110, 7.2, without the empty host that it allows, which no component could be
/// asked by.
pub(crate) fn is_host(bytes: &[u8]) -> bool {
    let (host, rest) = match bytes.strip_prefix(b"[") {
        Some(rest) => match rest.iter().position(|&byte| byte == b']') {
            Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default()),
            None => return false,
        },
        None => bytes.split_at(bytes.iter().position(|&byte| byte == b':').unwrap_or(bytes.len())),
    };
    let is_address = bytes.first() == Some(&b'[');
    let in_host = |byte: &u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
        b':' => is_address,
        byte => byte.is_ascii_alphanumeric(),
    };
    let port_is_valid = match rest {
        [] | [b':'] => true,
        [b':', port @ ..] => {
            let port = std::str::from_utf8(port).ok().filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
            port.is_some_and(|port| port.parse::<u16>().is_ok())
        }
        _ => false,
    };
    !host.is_empty() && host.iter().all(in_host) && port_is_valid
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Survey, is_host};

    #[test]
    fn hosts_are_names_or_addresses_with_a_port() {
        for good in ["a", "a.example", "a:80", "a:", "127.0.0.1:65535", "[::1]", "[::1]:3000", "x_y-z.internal"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in
            ["", ":80", "a b", "a:b", "a:65536", "a:+1", "a/b", "u@a", "[::1", "[::1]x", "[]", "a,b c", "a?b", "\u{e9}"]
        {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line =
            |line: &(&'static str, &'static str)| (HeaderName::from_static(line.0), HeaderValue::from_static(line.1));
        lines.iter().map(line).collect()
    }

    #[test]
    fn ids_are_accepted_or_made() {
        let mut survey = Survey::of(&headers(&[("x-correlation-id", "order-7"), ("x-request-id", "has space")]));
        let ids = survey.ids();
        assert_eq!(ids.log.correlation_id.as_str(), "order-7");
        assert_eq!(ids.log.request_id.as_str().len(), 32);
        let mut survey = Survey::of(&headers(&[("x-request-id", "r-1")]));
        assert_eq!(survey.ids().log.correlation_id.as_str(), "r-1");
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Survey::of(&headers(&[("traceparent", traceparent)])).ids().log.trace;
        assert_eq!(trace.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(trace.span_id().to_string(), "b7ad6b7169203331");
    }

    #[test]
    fn what_is_not_for_guests_is_taken_out() {
        let mut map = headers(&[
            ("connection", "keep-alive, x-private, host"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("spin-client-addr", "10.0.0.1"),
            ("spin-path-match-admin", "yes"),
            ("accept", "*/*"),
            ("host", "x"),
        ]);
        let survey = Survey::of(&map);
        survey.strip(&mut map);
        let mut left: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host"]);
    }
}
