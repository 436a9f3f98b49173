//! The routes of a component as OpenAPI describes them: what they ask for and what they answer.

mod compare;
mod read;

pub use compare::compare_apis;
pub(crate) use compare::route_of;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::schema::{At, SchemaError, Schemas};

/// The routes of a component.
#[derive(Debug, Clone)]
pub struct Api {
    pub(crate) schemas: Schemas,
    pub(crate) operations: BTreeMap<RouteKey, Operation>,
}

/// A method and a path; names of parameters do not tell routes apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteKey {
    /// With `{}` for each parameter.
    path: String,
    method: String,
}

/// One method of one path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Operation {
    /// The path as it is written.
    pub(crate) path: String,
    /// By place (`query`, `header`, `path`, `cookie`) and name.
    pub(crate) parameters: BTreeMap<(String, String), Parameter>,
    pub(crate) body: Option<Body>,
    /// By status as it is written: `200`, `4XX` or `default`.
    pub(crate) answers: BTreeMap<String, Content>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) required: bool,
    pub(crate) schema: Option<At>,
}

#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) required: bool,
    pub(crate) content: Content,
}

/// Schemas by media type; none where nothing is said of it.
pub(crate) type Content = BTreeMap<String, Option<At>>;

impl RouteKey {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let segment = |segment: &str| if is_parameter(segment) { "{}".to_owned() } else { segment.to_owned() };
        let path: Vec<String> = path.split('/').map(segment).collect();
        Self { path: path.join("/"), method: method.to_ascii_uppercase() }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method == method
            && self.path.split('/').count() == path.split('/').count()
            && self
                .path
                .split('/')
                .zip(path.split('/'))
                .all(|(wanted, found)| wanted == found || (wanted == "{}" && !found.is_empty()))
    }

    pub(crate) fn method(&self) -> &str {
        &self.method
    }
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

impl Api {
    /// Read an OpenAPI document of version 3. All that is wrong with it is told.
    pub fn read(document: &Value) -> Result<Self, Vec<SchemaError>> {
        read::read(document)
    }

    /// The operation that a request is for; literal segments go before parameters.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<(&RouteKey, &Operation)> {
        let method = method.to_ascii_uppercase();
        let matching = self.operations.iter().filter(|(key, _)| key.matches(&method, path));
        matching.min_by_key(|(key, _)| key.path.matches("{}").count())
    }
}

impl Operation {
    /// What is answered with that status.
    pub(crate) fn answer(&self, status: u16) -> Option<(&str, &Content)> {
        let class = format!("{}XX", status / 100);
        let found = [status.to_string(), class, "default".to_owned()];
        found.iter().find_map(|key| self.answers.get_key_value(key)).map(|(key, content)| (key.as_str(), content))
    }
}

/// The schema of what is JSON in a content.
pub(crate) fn json_of(content: &Content) -> Option<At> {
    let is_json = |media: &str| {
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        media == "application/json" || media.ends_with("+json")
    };
    content.iter().find(|(media, _)| is_json(media)).and_then(|(_, schema)| *schema)
}
