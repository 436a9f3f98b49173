//! Which target a path belongs to. Segment by segment, a literal beats a parameter and a parameter beats the
//! trailing wildcard, as in Spin; a route that ends where the path ends beats a wildcard that matches nothing.
//! Pure, and without allocation per lookup.

use std::collections::BTreeMap;

use crate::path::decoded;
use hull_manifest::{Route, Segment};

/// Targets by route.
#[derive(Debug)]
pub struct RouteTable<T> {
    entries: Vec<Entry<T>>,
    root: Node,
}

/// Two routes that match the same paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the routes {first:?} and {second:?} match the same paths; change one of them or make it private")]
pub struct DuplicateRoute {
    /// The one that came first.
    pub first: String,
    /// The one that came second.
    pub second: String,
}

#[derive(Debug)]
struct Entry<T> {
    route: Route,
    target: T,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    param: Option<Box<Node>>,
    ends_here: Option<usize>,
    wildcard: Option<usize>,
}

/// The target of a path, and what the route's parameters and wildcard stand for in it.
#[derive(Debug)]
pub struct Match<'table, 'path, T> {
    entry: &'table Entry<T>,
    path: &'path str,
}

impl<T> RouteTable<T> {
    /// A table of these routes, in any order.
    pub fn new(routes: impl IntoIterator<Item = (Route, T)>) -> Result<Self, DuplicateRoute> {
        let mut table = Self::empty();
        for (route, target) in routes {
            table.insert(route, target)?;
        }
        Ok(table)
    }

    /// A table that matches nothing.
    pub fn empty() -> Self {
        Self { entries: Vec::new(), root: Node::default() }
    }

    /// The same routes with other targets.
    pub fn map<U>(self, mut change: impl FnMut(&Route, T) -> U) -> RouteTable<U> {
        let entries = self.entries.into_iter().map(|Entry { route, target }| {
            let target = change(&route, target);
            Entry { route, target }
        });
        RouteTable { entries: entries.collect(), root: self.root }
    }

    fn insert(&mut self, route: Route, target: T) -> Result<(), DuplicateRoute> {
        let mut node = &mut self.root;
        for segment in route.segments() {
            node = match segment {
                Segment::Literal(text) => {
                    let text = decoded(text).map_or_else(|| text.clone(), std::borrow::Cow::into_owned);
                    node.literals.entry(text).or_default()
                }
                Segment::Param(_) => node.param.get_or_insert_default(),
            };
        }
        let place = if route.has_wildcard() { &mut node.wildcard } else { &mut node.ends_here };
        if let Some(first) = place.and_then(|index| self.entries.get(index)) {
            return Err(DuplicateRoute { first: first.route.to_string(), second: route.to_string() });
        }
        *place = Some(self.entries.len());
        self.entries.push(Entry { route, target });
        Ok(())
    }

    /// The best route for a normalised path. A slash at its end does not matter.
    pub fn find<'table, 'path>(&'table self, path: &'path str) -> Option<Match<'table, 'path, T>> {
        let entry = self.entries.get(self.root.find(path)?)?;
        Some(Match { entry, path })
    }

    /// The routes as they were given, in that order.
    pub fn iter(&self) -> impl Iterator<Item = (&Route, &T)> {
        self.entries.iter().map(|entry| (&entry.route, &entry.target))
    }
}

impl Node {
    /// Every node is visited once at most, because its depth is that of the segment it is asked about.
    fn find(&self, path: &str) -> Option<usize> {
        let Some((segment, rest)) = first_segment(path) else {
            return self.ends_here.or(self.wildcard);
        };
        let literal = || {
            let text = decoded(segment)?;
            self.literals.get(&*text)?.find(rest)
        };
        let param = || self.param.as_ref()?.find(rest);
        literal().or_else(param).or(self.wildcard)
    }
}

/// The first segment of what is left of a path, and what is left then. `None` at its end.
fn first_segment(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/').filter(|path| !path.is_empty())?;
    let end = path.find('/').unwrap_or(path.len());
    path.split_at_checked(end)
}

impl<'table, 'path, T> Match<'table, 'path, T> {
    /// What the route leads to.
    pub fn target(&self) -> &'table T {
        &self.entry.target
    }

    /// The route that matched.
    pub fn route(&self) -> &'table Route {
        &self.entry.route
    }

    /// The parameters in the order of the route: name and value, the value still percent-encoded.
    pub fn params(&self) -> impl Iterator<Item = (&'table str, &'path str)> + use<'table, 'path, T> {
        let mut left = self.path;
        self.entry.route.segments().iter().filter_map(move |segment| {
            let (value, rest) = first_segment(left)?;
            left = rest;
            match segment {
                Segment::Param(name) => Some((name.as_str(), value)),
                Segment::Literal(_) => None,
            }
        })
    }

    /// What the wildcard stands for, with its slash, still percent-encoded; empty without a wildcard.
    pub fn trailing(&self) -> &'path str {
        if !self.entry.route.has_wildcard() {
            return "";
        }
        let mut left = self.path;
        for _ in self.entry.route.segments() {
            left = first_segment(left).map_or("", |(_, rest)| rest);
        }
        left
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
