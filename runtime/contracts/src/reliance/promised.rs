//! Whether a provider still promises what a consumer relies on: examples against the description of the routes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Interaction, Reader, Reliance, inside};
use crate::api::{Api, Operation, json_of, route_of};
use crate::finding::{Change, Rule};
use crate::schema::{At, Checking, Promise, Steps, Types};

const TOO_LARGE: &str = "the schemas are too large to be compared";

/// What of that which is relied on is not promised. It draws on the steps of all comparisons.
pub(crate) fn broken(reliance: &Reliance, api: &Api, steps: &Steps) -> Vec<Change> {
    let mut changes = BTreeSet::new();
    for interaction in &reliance.interactions {
        let request = &interaction.request;
        let (path, query) = request.parts();
        let Some((key, operation)) = api.operation(&request.method, &path) else {
            let route = format!("{} {path}", request.method);
            changes.insert(Change::new(route, Rule::RouteRemoved, "there is no such route"));
            continue;
        };
        let route = route_of(key, operation);
        changes.extend(parameters(interaction, operation, &query, &route));
        changes.extend(body(interaction, operation, api, &route, steps));
        changes.extend(answer(interaction, operation, api, &route, steps));
    }
    changes.into_iter().collect()
}

fn parameters(
    interaction: &Interaction,
    operation: &Operation,
    query: &std::collections::BTreeMap<String, String>,
    route: &str,
) -> Vec<Change> {
    let sends = |place: &str, name: &str| match place {
        "query" => query.contains_key(name),
        "header" => interaction.request.headers.keys().any(|header| header.eq_ignore_ascii_case(name)),
        _ => true,
    };
    let missing =
        operation.parameters.iter().filter(|((place, name), parameter)| parameter.required && !sends(place, name));
    let change = |((place, name), _): (&(String, String), _)| {
        Change::new(format!("{route} {place} `{name}`"), Rule::ParameterRequired, "it must be sent, and is not")
    };
    missing.map(change).collect()
}

fn body(interaction: &Interaction, operation: &Operation, api: &Api, route: &str, steps: &Steps) -> Vec<Change> {
    let field = format!("{route} body");
    let Some(wanted) = &operation.body else { return Vec::new() };
    let Some(sent) = &interaction.request.body else {
        let change = Change::new(field, Rule::BodyRequired, "a body must be sent, and is not");
        return if wanted.required { vec![change] } else { Vec::new() };
    };
    let Some(schema) = json_of(&wanted.content) else { return Vec::new() };
    let mut checking = Checking::within(&api.schemas, steps.left());
    let checked = checking.value(schema, sent);
    steps.take(checking.spent());
    match checked {
        Ok(()) => Vec::new(),
        Err(mismatch) => {
            let rule = if mismatch.is_costly() {
                Rule::NotComparable
            } else if mismatch.is_missing() {
                Rule::FieldRequired
            } else {
                Rule::TypeNarrowed
            };
            vec![Change::new(format!("{field} {}", mismatch.path()), rule, format!("what is sent {}", mismatch.what()))]
        }
    }
}

fn answer(interaction: &Interaction, operation: &Operation, api: &Api, route: &str, steps: &Steps) -> Vec<Change> {
    let expected = &interaction.response;
    let Some((status, content)) = operation.answer(expected.status) else {
        let field = format!("{route} {}", expected.status);
        return vec![Change::new(field, Rule::StatusRemoved, "no such answer is given")];
    };
    let (Some(wanted), Some(schema)) = (&expected.body, json_of(content)) else { return Vec::new() };
    let mut promised =
        Promised { api, reader: Reader { expected }, place: format!("{route} {status} "), steps, changes: Vec::new() };
    promised.look(wanted, &[schema], "");
    promised.changes
}

struct Promised<'a> {
    api: &'a Api,
    reader: Reader<'a>,
    place: String,
    steps: &'a Steps,
    changes: Vec<Change>,
}

impl Promised<'_> {
    fn found(&mut self, path: &str, rule: Rule, detail: impl Into<String>) {
        let field = format!("{}{path}", self.place);
        self.changes.push(Change::new(field.trim_end(), rule, detail));
    }

    /// The example may be what any of the schemas' promises says.
    fn look(&mut self, wanted: &Value, schemas: &[At], path: &str) {
        let promise = Promise::of(&self.api.schemas, schemas);
        if !self.steps.take(promise.steps()) {
            return self.found(path, Rule::NotComparable, TOO_LARGE);
        }
        let mut readable = readable(wanted);
        if self.reader.is_optional(path) {
            readable = readable.or(Types::NULL);
        }
        let foreign = promise.types().without(readable);
        if foreign != Types::NONE {
            self.found(path, Rule::TypeWidened, format!("it may be {}, and {readable} is read", promise.types()));
            return;
        }
        match wanted {
            Value::Object(fields) => {
                for (name, wanted) in fields {
                    self.field(&promise, name, wanted, path);
                }
            }
            Value::Array(items) => {
                let Some(wanted) = items.first() else { return };
                self.look(wanted, &promise.items(), &format!("{path}[]"));
            }
            _ if self.reader.is_exact(path) && !promise.admits(wanted, self.steps) => {
                if self.steps.left() == 0 {
                    return self.found(path, Rule::NotComparable, TOO_LARGE);
                }
                self.found(path, Rule::ValueAdded, format!("it is never {wanted}"));
            }
            _ => {}
        }
    }

    fn field(&mut self, promise: &Promise<'_>, name: &str, wanted: &Value, path: &str) {
        let path = inside(path, name);
        if !self.steps.take(promise.steps()) {
            return self.found(&path, Rule::NotComparable, TOO_LARGE);
        }
        let is_optional = self.reader.is_optional(&path);
        let schemas = promise.property(name);
        if schemas.is_empty() {
            if !is_optional {
                self.found(&path, Rule::FieldRemoved, "nothing says that it is there");
            }
            return;
        }
        if !is_optional && !promise.requires(name) {
            self.found(&path, Rule::FieldOptional, "it may be missing");
        }
        self.look(wanted, &schemas, &path);
    }
}

/// What a reader of this value can read.
fn readable(wanted: &Value) -> Types {
    match wanted {
        // Whoever writes null reads nothing of it.
        Value::Null => Types::ALL,
        other if Types::of(other) != Types::INTEGER && Types::NUMBER.has(Types::of(other)) => Types::NUMBER,
        other => Types::of(other),
    }
}
