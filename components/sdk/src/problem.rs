//! What a client did wrong or has to know, as `application/problem+json` (RFC 9457), naming the field at fault.

use http::HeaderMap;
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use crate::response::Response;

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where in the body or query: `items[2].quantity`.
    pub field: String,
    /// What would be right.
    pub detail: String,
}

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    /// The first field at fault; all of them are in `errors`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    // Boxed, because a result carries a problem on every way back.
    #[serde(skip)]
    headers: Box<HeaderMap>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(flatten)]
    problem: &'a Problem,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// A problem without a field.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
            headers: Box::default(),
        }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} {id}"))
    }

    /// 409: the thing is not in a state for this.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422 about one field.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.into(), detail: detail.into() }])
    }

    /// 422 about several fields at once.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let told: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, told.join("; "));
        problem.field = errors.first().map(|e| e.field.clone());
        problem.errors = errors;
        problem
    }

    /// The same problem with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self.title = status.canonical_reason().unwrap_or("Error");
        self
    }

    /// The same problem, naming one field.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// When it makes sense to ask again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// The methods that would be taken.
    #[must_use]
    pub fn allowing(mut self, methods: &str) -> Self {
        if let Ok(methods) = HeaderValue::from_str(methods) {
            self.headers.insert(ALLOW, methods);
        }
        self
    }

    /// The status it answers with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is told about it.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The first field at fault.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The answer for the client, with the id that the request has in the host's log.
    pub fn into_response(self, request_id: Option<&str>) -> Response {
        let body = Body { problem: &self, request_id };
        let mut response = Response::new(serde_json::to_vec(&body).unwrap_or_default());
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

// serde hands over a reference, whatever the size.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn as_number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_field_and_the_first_one_on_top() {
        let problem = Problem::fields(vec![
            FieldError { field: "email".into(), detail: "must hold an @".into() },
            FieldError { field: "name".into(), detail: "must not be empty".into() },
        ]);
        let response = problem.into_response(Some("r-1"));
        assert_eq!(response.status(), 422);
        let body: serde_json::Value = serde_json::from_slice(response.body()).expect("JSON");
        assert_eq!(body["field"], "email");
        assert_eq!(body["errors"][1]["field"], "name");
        assert_eq!(body["status"], 422);
        assert_eq!(body["requestId"], "r-1");
        assert_eq!(body["detail"], "email: must hold an @; name: must not be empty");
    }
}
