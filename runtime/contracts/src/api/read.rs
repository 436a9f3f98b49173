//! Reads OpenAPI documents: the paths, and the schemas that they refer to.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Api, Body, Content, Operation, Parameter, RouteKey};
use crate::schema::{Reader, SchemaError, escaped, resolve};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// Operations of one document.
const OPERATIONS_MAX: usize = 2_000;

struct Reading<'d> {
    document: &'d Value,
    schemas: Reader<'d>,
    operations: BTreeMap<RouteKey, Operation>,
}

pub(super) fn read(document: &Value) -> Result<Api, Vec<SchemaError>> {
    let mut reading = Reading { document, schemas: Reader::new(document), operations: BTreeMap::new() };
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        reading.schemas.wrong("/openapi", "this is no OpenAPI document of version 3: write \"openapi\": \"3.1.0\"");
    }
    match document.get("paths").map(Value::as_object) {
        Some(Some(paths)) => paths.iter().for_each(|(path, item)| reading.path(path, item)),
        _ => reading.schemas.wrong("/paths", "there are no paths"),
    }
    if reading.operations.len() > OPERATIONS_MAX {
        reading.schemas.wrong("/paths", format!("there are more than {OPERATIONS_MAX} operations"));
    }
    Ok(Api { operations: reading.operations, schemas: reading.schemas.finish()? })
}

impl<'d> Reading<'d> {
    fn path(&mut self, path: &str, item: &'d Value) {
        let pointer = format!("/paths/{}", escaped(path));
        let (item, pointer) = self.resolved(item, pointer);
        let Some(item) = item.as_object() else { return self.schemas.wrong(&pointer, "this is an object") };
        if !path.starts_with('/') {
            self.schemas.wrong(&pointer, "a path begins with a slash");
        }
        let shared = self.parameters(item, &pointer);
        for method in METHODS {
            let Some(described) = item.get(method) else { continue };
            let pointer = format!("{pointer}/{method}");
            let Some(described) = described.as_object() else {
                self.schemas.wrong(&pointer, "this is an object");
                continue;
            };
            let mut parameters = shared.clone();
            parameters.extend(self.parameters(described, &pointer));
            let body = described.get("requestBody").map(|body| self.body(body, format!("{pointer}/requestBody")));
            let answers = self.answers(described.get("responses"), &format!("{pointer}/responses"));
            let operation = Operation { path: path.to_owned(), parameters, body, answers };
            self.operations.insert(RouteKey::new(method, path), operation);
        }
    }

    fn parameters(&mut self, of: &'d Map<String, Value>, pointer: &str) -> BTreeMap<(String, String), Parameter> {
        let mut parameters = BTreeMap::new();
        for (n, parameter) in of.get("parameters").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let (parameter, pointer) = self.resolved(parameter, format!("{pointer}/parameters/{n}"));
            let text = |key: &str| parameter.get(key).and_then(Value::as_str).map(str::to_owned);
            let (Some(place), Some(name)) = (text("in"), text("name")) else {
                self.schemas.wrong(&pointer, "a parameter has `in` and `name`");
                continue;
            };
            let required = parameter.get("required") == Some(&Value::Bool(true));
            let schema = parameter.get("schema").map(|schema| self.schemas.schema(schema, format!("{pointer}/schema")));
            let name = if place == "header" { name.to_ascii_lowercase() } else { name };
            parameters.insert((place, name), Parameter { required, schema });
        }
        parameters
    }

    fn body(&mut self, body: &'d Value, pointer: String) -> Body {
        let (body, pointer) = self.resolved(body, pointer);
        let required = body.get("required") == Some(&Value::Bool(true));
        Body { required, content: self.content(body, &pointer) }
    }

    fn answers(&mut self, answers: Option<&'d Value>, pointer: &str) -> BTreeMap<String, Content> {
        let mut found = BTreeMap::new();
        let Some(answers) = answers.and_then(Value::as_object) else {
            self.schemas.wrong(pointer, "there are no responses");
            return found;
        };
        for (status, answer) in answers {
            let (answer, place) = self.resolved(answer, format!("{pointer}/{}", escaped(status)));
            let status = if status == "default" { status.clone() } else { status.to_ascii_uppercase() };
            let is_status = status == "default"
                || (status.len() == 3
                    && status.starts_with(|first: char| ('1'..='5').contains(&first))
                    && (status.ends_with("XX") || status.bytes().all(|byte| byte.is_ascii_digit())));
            if is_status {
                found.insert(status, self.content(answer, &place));
            } else if !status.starts_with("X-") {
                self.schemas.wrong(&place, "a response has a status such as 200 or 4XX, or `default`");
            }
        }
        found
    }

    fn content(&mut self, of: &'d Value, pointer: &str) -> Content {
        let mut content = Content::new();
        for (media, described) in of.get("content").and_then(Value::as_object).into_iter().flatten() {
            let place = format!("{pointer}/content/{}/schema", escaped(media));
            let schema = described.get("schema").map(|schema| self.schemas.schema(schema, place));
            content.insert(media.to_ascii_lowercase(), schema);
        }
        content
    }

    /// What a reference leads to, or the value itself.
    fn resolved(&mut self, value: &'d Value, pointer: String) -> (&'d Value, String) {
        let Some(reference) = value.get("$ref") else { return (value, pointer) };
        match resolve(self.document, reference) {
            Ok(found) => found,
            Err(what) => {
                self.schemas.wrong(&pointer, what);
                (value, pointer)
            }
        }
    }
}
