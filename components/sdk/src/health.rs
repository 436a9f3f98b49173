//! `/health`: JSON with a status per part, 200 when all are well and 503 otherwise.

use http::StatusCode;
use serde::Serialize;

use crate::error::Result;
use crate::response::{self, Response};
use crate::sql;

/// The parts of a service and how they are.
#[derive(Debug, Default)]
pub struct Report {
    parts: Vec<(&'static str, Option<String>)>,
}

#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    parts: std::collections::BTreeMap<&'static str, Part<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl Report {
    /// The handler itself answers, since it runs.
    pub fn new() -> Self {
        Self { parts: vec![("handler", None)] }
    }

    /// A part and whether it works.
    #[must_use]
    pub fn part<T>(mut self, name: &'static str, works: Result<T>) -> Self {
        self.parts.push((name, works.err().map(|e| e.to_string())));
        self
    }

    /// The database and the table the service lives on.
    #[must_use]
    pub fn table(self, table: &'static str) -> Self {
        let statement = format!("SELECT count(*) AS n FROM (SELECT 1 FROM {table} LIMIT 1) AS probe");
        self.part("database", sql::query(&statement, &[]))
    }

    /// The answer.
    pub fn into_response(self) -> Result<Response> {
        let well = self.parts.iter().all(|(_, fault)| fault.is_none());
        let word = |well: bool| if well { "ok" } else { "failed" };
        let parts = self.parts.iter();
        let parts =
            parts.map(|(name, fault)| (*name, Part { status: word(fault.is_none()), detail: fault.as_deref() }));
        let body = Body { status: word(well), parts: parts.collect() };
        let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        response::json(status, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn one_bad_part_is_503() {
        let well = Report::new().part("a", Ok(())).into_response().expect("answers");
        assert_eq!(well.status(), 200);
        let bad = Report::new().part::<()>("a", Err(Error::Conflict)).into_response().expect("answers");
        assert_eq!(bad.status(), 503);
        let body: serde_json::Value = serde_json::from_slice(bad.body()).expect("JSON");
        assert_eq!(body["parts"]["handler"]["status"], "ok");
        assert_eq!(body["parts"]["a"]["status"], "failed");
    }
}
