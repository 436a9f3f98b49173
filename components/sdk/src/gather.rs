//! Answers from several services of which some may be missing: what came is used, what did not is named.

use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::client::{self, NoAnswer};
use crate::logging;
use crate::response::Response;

/// Collects the names of the parts that did not come.
#[derive(Debug, Default)]
pub struct Gather {
    missing: Vec<&'static str>,
}

impl Gather {
    /// Nothing missing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A part's JSON, if its service answered 200 with what was expected.
    pub fn take<T: DeserializeOwned>(&mut self, part: &'static str, answer: Result<Response, NoAnswer>) -> Option<T> {
        match opened(part, answer) {
            Ok(value) => Some(value),
            Err(why) => {
                logging::warn("gather", &format!("without {part}: {why}"));
                self.missing.push(part);
                None
            }
        }
    }

    /// The parts that did not come.
    pub fn into_missing(self) -> Vec<&'static str> {
        self.missing
    }
}

fn opened<T: DeserializeOwned>(part: &str, answer: Result<Response, NoAnswer>) -> Result<T, String> {
    let answer = answer.map_err(|e| e.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the answer is {}", answer.status()));
    }
    client::read(part, &answer).map_err(|e| e.to_string())
}
