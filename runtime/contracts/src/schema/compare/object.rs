//! Objects: fields that are missing, that may be missing, that are of another kind, or that are too many.

use std::collections::BTreeSet;

use super::super::{At, Count, Rest, Shape};
use super::{Comparing, Conjunction, Difference, Direction};

impl Comparing<'_> {
    pub(super) fn object(&mut self, covering: &Shape, shapes: &[(At, &Shape)], path: &str) {
        let knows = |name: &str| shapes.iter().any(|(_, shape)| shape.properties.contains_key(name));
        for name in &covering.required {
            if shapes.iter().any(|(_, shape)| shape.required.contains(name)) {
                continue;
            }
            let field = inside(path, name);
            let (difference, detail) = match (knows(name), self.direction) {
                (_, Direction::Request) => (Difference::Missing, "it must be sent"),
                (true, _) => (Difference::Optional, "it may be missing"),
                (false, _) => (Difference::Missing, "nothing says any more that it is there"),
            };
            self.found(&field, difference, detail);
        }
        for (name, at) in &covering.properties {
            self.field(covering, name, *at, shapes, path);
        }
        self.unforeseen(covering, shapes, path);
        let members = shapes.iter().fold(Count::default(), |count, (_, shape)| count.both(shape.members));
        if !covering.members.covers(members) {
            let detail = format!("it may have {members} fields, and {} are expected", covering.members);
            self.found(path, Difference::Range, detail);
        }
    }

    fn field(&mut self, covering: &Shape, name: &str, at: At, shapes: &[(At, &Shape)], path: &str) {
        let mut sent = BTreeSet::new();
        let (mut known, mut never) = (false, false);
        for (_, shape) in shapes {
            match (shape.properties.get(name), shape.rest) {
                (Some(at), _) => {
                    known = true;
                    sent.insert(*at);
                }
                (None, Rest::Like(at)) => {
                    sent.insert(at);
                }
                (None, Rest::Nothing) => never = true,
                (None, Rest::Anything) => {}
            }
        }
        if !known && self.direction == Direction::Response && !covering.required.contains(name) {
            return self.found(&inside(path, name), Difference::Missing, "nothing says any more that it may be there");
        }
        // What nobody speaks of is not sent.
        if !never && !sent.is_empty() {
            self.covers(at, &Conjunction { all: sent, settled: BTreeSet::new() }, &inside(path, name));
        }
    }

    /// Fields that are sent and that the other side does not know.
    fn unforeseen(&mut self, covering: &Shape, shapes: &[(At, &Shape)], path: &str) {
        if matches!(covering.rest, Rest::Anything) || self.direction == Direction::Response {
            return;
        }
        let names: BTreeSet<&String> = shapes.iter().flat_map(|(_, shape)| shape.properties.keys()).collect();
        for name in names.into_iter().filter(|name| !covering.properties.contains_key(*name)) {
            match covering.rest {
                Rest::Like(at) => self.field(covering, name, at, shapes, path),
                _ => self.found(&inside(path, name), Difference::Extra, "it is refused"),
            }
        }
        let is_open = !shapes.iter().any(|(_, shape)| !matches!(shape.rest, Rest::Anything));
        if is_open && self.direction == Direction::Request && matches!(covering.rest, Rest::Nothing) {
            self.found(path, Difference::Extra, "fields that it does not name are refused");
        }
    }
}

pub(super) fn inside(path: &str, name: &str) -> String {
    if path.is_empty() || path.ends_with(' ') { format!("{path}{name}") } else { format!("{path}.{name}") }
}
