//! Failures as HTTP answers (RFC 9457). The one place where a failure becomes a status.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use hull_invocation::{ComponentId, Failure, RequestId, Resource};
use hull_telemetry::Level;

use crate::refusal::Refusal;

/// What the methods are that components may be asked with.
pub(crate) const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The status of a failed invocation. A component that breaks one of its own bounds on CPU or memory has failed
/// like one that traps: asking again will not help, so it is 500 and not 503. What it does not answer for, because
/// it waited for others or was shut out, is 502, 503 or 504.
pub fn status(failure: &Failure) -> StatusCode {
    match failure {
        Failure::BadRequest(_) => StatusCode::BAD_REQUEST,
        Failure::UnknownComponent(_) => StatusCode::NOT_FOUND,
        Failure::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Failure::Shed { resource: Resource::Rate, .. } => StatusCode::TOO_MANY_REQUESTS,
        Failure::Shed { .. } | Failure::Unavailable { .. } | Failure::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Failure::DeadlineExceeded { .. } => StatusCode::GATEWAY_TIMEOUT,
        Failure::NoHandler { .. } | Failure::NoResponse { .. } | Failure::Unreachable { .. } => StatusCode::BAD_GATEWAY,
        Failure::ChainTooLong { .. } => StatusCode::LOOP_DETECTED,
        Failure::CpuExceeded { .. }
        | Failure::MemoryExceeded { .. }
        | Failure::Trapped { .. }
        | Failure::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// When it is worth asking again, if it is.
pub fn retry_after(failure: &Failure) -> Option<Duration> {
    match failure {
        Failure::Shed { retry_after, .. } => Some(*retry_after),
        Failure::Unavailable { .. } => Some(Duration::from_secs(1)),
        _ => None,
    }
}

/// What the client is told. What a guest or a database said about its insides stays in the log.
fn detail(failure: &Failure) -> String {
    match failure {
        Failure::Trapped { component, .. } => format!("{component} failed; its log has the reason"),
        Failure::NoResponse { component, .. } => format!("{component} ended without a complete response"),
        Failure::Unavailable { component, .. } => format!("{component} cannot reach its storage or the bus right now"),
        Failure::Unreachable { component, .. } => format!("{component} cannot be reached right now"),
        Failure::Internal(_) => "the host failed; its log has the reason".to_owned(),
        told => told.to_string(),
    }
}

/// How much the log makes of it. What clients cause is theirs to see, and metrics count it.
pub(crate) fn log_level(failure: &Failure) -> Level {
    match failure {
        Failure::Internal(_) | Failure::Unavailable { .. } => Level::Error,
        Failure::Shed { .. }
        | Failure::Cancelled
        | Failure::BadRequest(_)
        | Failure::BodyTooLarge { .. }
        | Failure::UnknownComponent(_) => Level::Debug,
        _ => Level::Warn,
    }
}

/// What a problem answer says besides its status.
pub(crate) struct About<'a> {
    /// The path that was asked for.
    pub(crate) instance: Option<&'a str>,
    /// Where to look in the log.
    pub(crate) request_id: &'a RequestId,
    /// Which component, if the request came that far.
    pub(crate) component: Option<&'a ComponentId>,
}

pub(crate) fn failed(failure: &Failure, about: &About<'_>) -> Response<Bytes> {
    let mut answer = problem(status(failure), failure.kind(), &detail(failure), about);
    if let Some(after) = retry_after(failure) {
        // Whole seconds, rounded up: earlier would be too early.
        let seconds = after.as_millis().div_ceil(1000).max(1) as u64;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

pub(crate) fn refused(refusal: Refusal, about: &About<'_>) -> Response<Bytes> {
    let mut answer = problem(refusal.status(), refusal.word(), refusal.detail(), about);
    if refusal == Refusal::Method {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(ALLOWED_METHODS));
    }
    answer
}

fn problem(status: StatusCode, kind: &str, detail: &str, about: &About<'_>) -> Response<Bytes> {
    let mut body = serde_json::json!({
        "type": format!("urn:hull:problem:{kind}"),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
        "requestId": about.request_id.as_str(),
    });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(about.instance.map(|path| ("instance".to_owned(), path.into())));
        fields.extend(about.component.map(|id| ("component".to_owned(), id.component().into())));
    }
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_invocation::{ComponentId, Failure, RequestId, Resource};

    use super::{About, failed};

    #[test]
    fn failures_have_a_status_and_tell_no_secrets() {
        let component = || ComponentId::new("shop", "orders");
        let secret = || "secret".to_owned();
        let second = Duration::from_secs(1);
        let shed =
            |resource| Failure::Shed { component: component(), resource, retry_after: Duration::from_millis(1200) };
        let id = RequestId::parse("r-1").expect("an id");
        for (failure, status) in [
            (Failure::UnknownComponent(component()), 404),
            (Failure::NoHandler { component: component(), handler: "wasi:http" }, 502),
            (shed(Resource::Bulkhead), 503),
            (shed(Resource::Concurrency), 503),
            (shed(Resource::Host), 503),
            (shed(Resource::Rate), 429),
            (Failure::DeadlineExceeded { component: component(), after: second }, 504),
            (Failure::CpuExceeded { component: component(), limit: second }, 500),
            (Failure::MemoryExceeded { component: component(), limit_bytes: 1 }, 500),
            (Failure::Trapped { component: component(), message: secret() }, 500),
            (Failure::NoResponse { component: component(), message: secret() }, 502),
            (Failure::BodyTooLarge { component: component(), limit_bytes: 1 }, 413),
            (Failure::BadRequest("why".to_owned()), 400),
            (Failure::ChainTooLong { component: component(), message: "too deep".to_owned() }, 508),
            (Failure::Cancelled, 503),
            (Failure::Unavailable { component: component(), message: secret() }, 503),
            (Failure::Unreachable { component: component(), message: secret() }, 502),
            (Failure::Internal(secret()), 500),
        ] {
            let about = About { instance: Some("/a"), request_id: &id, component: Some(&component()) };
            let answer = failed(&failure, &about);
            assert_eq!(answer.status().as_u16(), status, "{failure}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let body: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
            assert_eq!(body["status"], status);
            assert_eq!(body["type"], format!("urn:hull:problem:{}", failure.kind()));
            assert_eq!(body["requestId"], "r-1");
            assert_eq!(body["instance"], "/a");
            assert_eq!(body["component"], "orders");
            assert!(!body.to_string().contains("secret"), "{body}");
            let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().expect("a number"));
            let expected = match failure {
                Failure::Shed { .. } => Some("2"),
                Failure::Unavailable { .. } => Some("1"),
                _ => None,
            };
            assert_eq!(retry_after, expected);
        }
    }
}
