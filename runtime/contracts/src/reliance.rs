//! What a consumer relies on, by example: the requests that it makes, and of the answers the fields that it reads. The
//! form is that of Pact, with types for values unless they are said to matter.

mod answered;
mod promised;

pub use answered::{Answer, Compared, compare_answer};
pub(crate) use promised::broken;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Examples of one consumer.
const INTERACTIONS_MAX: usize = 1_000;

/// What a consumer relies on of one provider.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliance {
    /// What it asks, and what it reads of the answers.
    pub interactions: Vec<Interaction>,
    /// As Pact writes it; of no consequence.
    #[serde(default, rename = "consumer")]
    _consumer: Value,
    #[serde(default, rename = "provider")]
    _provider: Value,
    #[serde(default, rename = "metadata")]
    _metadata: Value,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// For people.
    pub description: String,
    /// What has to have been done before: requests to the same provider.
    #[serde(default)]
    pub given: Vec<Request>,
    /// The request.
    pub request: Request,
    /// What is read of the answer.
    pub response: Expected,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path, perhaps with a query.
    pub path: String,
    /// Its query, where the path has none.
    #[serde(default)]
    pub query: String,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A body, as JSON.
    #[serde(default)]
    pub body: Option<Value>,
}

/// What is read of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Its status.
    pub status: u16,
    /// Headers with these values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The fields that are read, with values of the type that is wanted.
    #[serde(default)]
    pub body: Option<Value>,
    /// Fields that may be missing or null: `items[].discount`.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Fields whose value matters, and not only their type.
    #[serde(default)]
    pub exact: Vec<String>,
}

impl Request {
    /// Path and query.
    pub fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    fn parts(&self) -> (String, BTreeMap<String, String>) {
        let target = self.target();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        (path.to_owned(), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Reliance {
    /// Read what a consumer relies on.
    pub fn read(document: &Value) -> Result<Self, String> {
        let reliance = Self::deserialize(document).map_err(|error| error.to_string())?;
        if reliance.interactions.len() > INTERACTIONS_MAX {
            return Err(format!("there are more than {INTERACTIONS_MAX} interactions"));
        }
        for interaction in &reliance.interactions {
            let mut requests = interaction.given.iter().chain([&interaction.request]);
            if let Some(wrong) = requests.find(|request| !is_target(&request.target())) {
                return Err(format!("{:?}: {:?} is no path", interaction.description, wrong.target()));
            }
        }
        Ok(reliance)
    }
}

fn is_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// What an example says of the place at a path.
struct Reader<'e> {
    expected: &'e Expected,
}

impl Reader<'_> {
    fn is_optional(&self, path: &str) -> bool {
        self.expected.optional.iter().any(|optional| optional == path)
    }

    fn is_exact(&self, path: &str) -> bool {
        self.expected.exact.iter().any(|exact| exact == path)
    }
}

fn inside(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
