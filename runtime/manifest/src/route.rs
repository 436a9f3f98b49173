//! Routes of HTTP triggers, in Spin's syntax: `/exact`, `/:name` for one segment, a trailing `/...` for the rest.

use std::fmt;
use std::str::FromStr;

use crate::problem::Invalid;
use crate::read::TextSetting;

/// The longest route, in bytes.
pub const ROUTE_BYTES_MAX: usize = 1024;

/// Paths that hosts answer themselves.
const RESERVED: [&str; 2] = ["/.well-known/hull", "/.well-known/spin"];

const WANTED: &str = "a route such as \"/api/orders\", \"/api/orders/:id\" or \"/api/orders/...\"";

/// One segment of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// This very text.
    Literal(String),
    /// Any one segment; its text is passed on under this name.
    Param(String),
}

impl Segment {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(ours), Self::Literal(theirs)) => ours == theirs,
            _ => true,
        }
    }
}

/// Which paths are meant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    segments: Vec<Segment>,
    wildcard: bool,
}

impl Route {
    /// The segments, without the trailing wildcard. None for `/` and `/...`.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether the route ends in `/...`: it means its base, and everything below.
    pub fn has_wildcard(&self) -> bool {
        self.wildcard
    }

    /// Whether both mean the same paths, whatever their parameters are called.
    pub fn same_paths(&self, other: &Self) -> bool {
        let kinds_agree = |(ours, theirs): (&Segment, &Segment)| match (ours, theirs) {
            (Segment::Literal(ours), Segment::Literal(theirs)) => ours == theirs,
            (Segment::Param(_), Segment::Param(_)) => true,
            _ => false,
        };
        self.wildcard == other.wildcard
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(kinds_agree)
    }

    /// Whether some path is meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let lengths_agree = match (self.wildcard, other.wildcard) {
            (true, true) => true,
            (true, false) => self.segments.len() <= other.segments.len(),
            (false, true) => other.segments.len() <= self.segments.len(),
            (false, false) => self.segments.len() == other.segments.len(),
        };
        lengths_agree && self.segments.iter().zip(&other.segments).all(|(ours, theirs)| ours.meets(theirs))
    }
}

impl FromStr for Route {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str, remedy: &str| Err(Invalid::new(format!("\"{text}\" {what}"), remedy));
        let Some(path) = text.strip_prefix('/') else {
            return wrong("does not start with a slash", &format!("write {WANTED}"));
        };
        if text.len() > ROUTE_BYTES_MAX {
            return Err(Invalid::new("the route is too long", format!("write {ROUTE_BYTES_MAX} bytes at the most")));
        }
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')) {
            return wrong("has a character that paths cannot have", "leave out the query, and percent-encode the rest");
        }
        if text.contains("//") {
            return wrong("has an empty segment", "write single slashes");
        }
        let (path, wildcard) = match path.strip_suffix("...") {
            Some(base) if base.is_empty() || base.ends_with('/') => (base, true),
            _ => (path, false),
        };
        // As in Spin, a slash at the end of a route means nothing.
        let path = path.strip_suffix('/').unwrap_or(path);
        let texts = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        let mut segments: Vec<Segment> = Vec::with_capacity(texts.len());
        for segment in texts {
            let segment = parse_segment(text, segment)?;
            if matches!(&segment, Segment::Param(_)) && segments.contains(&segment) {
                return wrong("has two parameters of one name", "give each parameter a name of its own");
            }
            segments.push(segment);
        }
        let route = Self { segments, wildcard };
        let shown = route.to_string();
        match RESERVED.iter().find(|reserved| shown.starts_with(**reserved)) {
            Some(reserved) => wrong("is reserved", &format!("choose a route that is not below {reserved}")),
            None => Ok(route),
        }
    }
}

fn parse_segment(route: &str, text: &str) -> Result<Segment, Invalid> {
    let wrong = |what: &str, remedy: &str| Err(Invalid::new(format!("\"{route}\" {what}"), remedy));
    if text == "." || text == ".." {
        return wrong("has a dot segment, which no request path has", "write the path itself");
    }
    if text == "..." {
        return wrong("goes on after ...", "put /... at the end");
    }
    if text.contains('*') || text.ends_with("...") {
        return wrong("has a wildcard that routes do not have", "write /... at the end, or :name for one segment");
    }
    let Some(name) = text.strip_prefix(':') else { return Ok(Segment::Literal(text.to_owned())) };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || !name.bytes().all(named) {
        return wrong("has a parameter without a proper name", "write letters, digits, - and _ after the colon");
    }
    Ok(Segment::Param(name.to_owned()))
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Param(name) => write!(f, "/:{name}")?,
            }
        }
        match (self.wildcard, self.segments.is_empty()) {
            (true, _) => f.write_str("/..."),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TextSetting for Route {
    const WANTED: &'static str = WANTED;
}

#[cfg(test)]
mod tests {
    use super::{Route, Segment};

    fn route(text: &str) -> Route {
        text.parse().expect("a route")
    }

    #[test]
    fn routes_have_segments_and_perhaps_a_wildcard() {
        let order = route("/api/orders/:id/...");
        let literal = |text: &str| Segment::Literal(text.to_owned());
        assert_eq!(order.segments(), [literal("api"), literal("orders"), Segment::Param("id".to_owned())]);
        assert!(order.has_wildcard());
        for text in ["/", "/...", "/a", "/a/...", "/:a/b", "/a.b/~c/%20"] {
            assert_eq!(route(text).to_string(), text);
        }
        assert_eq!(route("/a/").to_string(), "/a");
    }

    #[test]
    fn what_is_no_route_is_refused() {
        for bad in [
            "",
            "a",
            "//",
            "/a//b",
            "/a/.../b",
            "/a...",
            "/*",
            "/a/*",
            "/a*",
            "/:",
            "/:a:b",
            "/:a/:a",
            "/a b",
            "/a?b",
            "/a#b",
            "//...",
            "/a//...",
            "/a//",
            "/é",
            "/..",
            "/a/./b",
            "/.well-known/hull/x",
            "/.well-known/spin/...",
        ] {
            assert!(bad.parse::<Route>().is_err(), "{bad}");
        }
    }

    #[test]
    fn overlap_and_sameness() {
        for (a, b, overlap, same) in [
            ("/a", "/a", true, true),
            ("/a", "/b", false, false),
            ("/a/:x", "/a/:y", true, true),
            ("/a/:x", "/a/b", true, false),
            ("/a/...", "/a", true, false),
            ("/a/...", "/a/b/c", true, false),
            ("/a/...", "/b/...", false, false),
            ("/...", "/a/b", true, false),
            ("/a/b/...", "/a", false, false),
            ("/a/...", "/:x/...", true, false),
        ] {
            assert_eq!(route(a).overlaps(&route(b)), overlap, "{a} {b}");
            assert_eq!(route(b).overlaps(&route(a)), overlap, "{b} {a}");
            assert_eq!(route(a).same_paths(&route(b)), same, "{a} {b}");
        }
    }
}
