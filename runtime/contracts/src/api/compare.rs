//! What a newer description of routes breaks for those who know the older one: both what they send and what they read.

use std::collections::BTreeMap;

use super::{Api, Content, Operation, RouteKey};
use crate::finding::{Change, Rule};
use crate::schema::{At, Direction, Steps, compare};

/// What breaks whoever knows `old` when `new` is served.
pub fn compare_apis(old: &Api, new: &Api) -> Vec<Change> {
    let (mut changes, steps) = (Vec::new(), Steps::new());
    for (key, before) in &old.operations {
        let route = format!("{} {}", key.method(), before.path);
        match new.operations.get(key) {
            None => changes.push(Change::new(route, Rule::RouteRemoved, "there is no such route any more")),
            Some(after) => operation(&Pair { old, new, route, steps: &steps }, before, after, &mut changes),
        }
    }
    changes
}

struct Pair<'a> {
    old: &'a Api,
    new: &'a Api,
    route: String,
    steps: &'a Steps,
}

impl Pair<'_> {
    /// What is sent by those who know the old one, at the new one.
    fn request(&self, old: Option<At>, new: Option<At>, field: &str) -> Vec<Change> {
        match (old, new) {
            (Some(old), Some(new)) => {
                compare((&self.new.schemas, new), (&self.old.schemas, old), Direction::Request, field, self.steps)
            }
            _ => Vec::new(),
        }
    }

    /// What is answered by the new one, to those who know the old one.
    fn response(&self, old: Option<At>, new: Option<At>, field: &str) -> Vec<Change> {
        match (old, new) {
            (Some(old), Some(new)) => {
                compare((&self.old.schemas, old), (&self.new.schemas, new), Direction::Response, field, self.steps)
            }
            (Some(_), None) => {
                vec![Change::new(field.trim_end(), Rule::NotComparable, "nothing says any more what is in it")]
            }
            _ => Vec::new(),
        }
    }
}

fn operation(pair: &Pair<'_>, before: &Operation, after: &Operation, changes: &mut Vec<Change>) {
    let route = &pair.route;
    for ((place, name), parameter) in &after.parameters {
        let field = format!("{route} {place} `{name}`");
        let known = before.parameters.get(&(place.clone(), name.clone()));
        // What is in the path is there with the path, whatever it is called.
        if place != "path" && parameter.required && known.is_none_or(|known| !known.required) {
            changes.push(Change::new(field.clone(), Rule::ParameterRequired, "it must be sent now"));
        }
        changes.extend(pair.request(known.and_then(|known| known.schema), parameter.schema, &format!("{field} ")));
    }
    body(pair, before, after, changes);
    for (status, content) in &before.answers {
        let field = format!("{route} {status}");
        match after.answers.get(status) {
            None => changes.push(Change::new(field, Rule::StatusRemoved, "it is not given any more")),
            Some(now) => answer(pair, content, now, &field, changes),
        }
    }
}

fn body(pair: &Pair<'_>, before: &Operation, after: &Operation, changes: &mut Vec<Change>) {
    let field = format!("{} body", pair.route);
    let (was_required, known) = match &before.body {
        Some(body) => (body.required, body.content.clone()),
        None => (false, BTreeMap::new()),
    };
    let Some(now) = &after.body else { return };
    if now.required && !was_required {
        changes.push(Change::new(field.clone(), Rule::BodyRequired, "a body must be sent now"));
    }
    for (media, schema) in &known {
        match now.content.get(media) {
            None => changes.push(Change::new(
                field.clone(),
                Rule::MediaTypeRemoved,
                format!("{media} is not taken any more"),
            )),
            Some(now) => changes.extend(pair.request(*schema, *now, &format!("{field} "))),
        }
    }
}

fn answer(pair: &Pair<'_>, before: &Content, after: &Content, field: &str, changes: &mut Vec<Change>) {
    for (media, schema) in before {
        match after.get(media) {
            None => changes.push(Change::new(field, Rule::MediaTypeRemoved, format!("{media} is not given any more"))),
            Some(now) => changes.extend(pair.response(*schema, *now, &format!("{field} "))),
        }
    }
}

/// A route for people.
pub(crate) fn route_of(key: &RouteKey, operation: &Operation) -> String {
    format!("{} {}", key.method(), operation.path)
}
