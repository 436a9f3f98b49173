//! Subjects of events and patterns over them, with the meaning that they have in NATS
//! (<https://docs.nats.io/nats-concepts/subjects>): tokens between dots, `*` for one token, `>` for the rest.

use std::fmt;
use std::str::FromStr;

use crate::problem::Invalid;
use crate::read::TextSetting;

/// The longest subject or pattern, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 200;

const PATTERN_WANTED: &str = "a subject such as \"orders.created\" or a pattern such as \"orders.*\" or \"orders.>\"";

/// Check a subject without wildcards: what an event may be published under.
pub fn check_subject(text: &str) -> Result<(), Invalid> {
    check(text, "write a subject such as \"orders.created\"")?;
    if text.split('.').any(is_wildcard) {
        return Err(Invalid::new(format!("\"{text}\" has wildcards"), "name one subject to publish to"));
    }
    Ok(())
}

/// Which subjects are meant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectPattern(String);

impl SubjectPattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tokens between the dots.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// Whether the pattern is a single subject.
    pub fn is_literal(&self) -> bool {
        !self.tokens().any(is_wildcard)
    }

    /// Whether a subject is meant.
    pub fn matches(&self, subject: &str) -> bool {
        let mut tokens = subject.split('.');
        for wanted in self.tokens() {
            match (wanted, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// Whether some subject is meant by both patterns.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.tokens(), other.tokens());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
                (Some(ours), Some(theirs)) if ours == theirs || ours == "*" || theirs == "*" => {}
                _ => return false,
            }
        }
    }
}

fn is_wildcard(token: &str) -> bool {
    token == "*" || token == ">"
}

fn check(text: &str, remedy: &str) -> Result<(), Invalid> {
    let wrong = |what: &str| Err(Invalid::new(format!("\"{text}\" {what}"), remedy));
    if text.len() > SUBJECT_BYTES_MAX {
        return Err(Invalid::new("the subject is too long", format!("write {SUBJECT_BYTES_MAX} bytes at the most")));
    }
    if text.split('.').any(str::is_empty) {
        return wrong("has an empty token");
    }
    if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return wrong("has a character that subjects cannot have");
    }
    if text.split('.').any(|token| token.contains(['*', '>']) && !is_wildcard(token)) {
        return wrong("has a wildcard inside a token");
    }
    if text.starts_with(['$', '_']) {
        return wrong("starts with $ or _, which is kept for the bus itself");
    }
    Ok(())
}

impl FromStr for SubjectPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check(text, &format!("write {PATTERN_WANTED}"))?;
        if text.rsplit('.').skip(1).any(|token| token == ">") {
            return Err(Invalid::new(format!("\"{text}\" goes on after >"), "put > at the end"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TextSetting for SubjectPattern {
    const WANTED: &'static str = PATTERN_WANTED;
}

#[cfg(test)]
mod tests {
    use super::{SubjectPattern, check_subject};

    fn pattern(text: &str) -> SubjectPattern {
        text.parse().expect("a pattern")
    }

    #[test]
    fn wildcards_match_as_in_nats() {
        for (text, matched, not_matched) in [
            ("orders.created", "orders.created", "orders.created.x"),
            ("orders.*", "orders.created", "orders.created.x"),
            ("orders.*", "orders.x", "orders"),
            ("orders.>", "orders.created.x", "orders"),
            (">", "orders", ""),
            ("*.created", "orders.created", "created"),
            ("a.*.c", "a.b.c", "a.b.d"),
        ] {
            assert!(pattern(text).matches(matched), "{text} {matched}");
            // No event has the empty subject; there is nothing that `>` does not match.
            assert!(not_matched.is_empty() || !pattern(text).matches(not_matched), "{text} {not_matched}");
        }
    }

    #[test]
    fn overlap_means_that_one_subject_matches_both() {
        for (a, b, overlap) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.*", "a.c", true),
            ("a.*", "*.b", true),
            ("a.*", "b.*", false),
            ("a.*", "a", false),
            ("a.>", "a", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a.*", true),
            (">", "x.y.z", true),
            ("a.*.c", "a.b.>", true),
            ("a.*.c", "a.b.d", false),
            ("a.*", "a.b.c", false),
        ] {
            assert_eq!(pattern(a).overlaps(&pattern(b)), overlap, "{a} {b}");
            assert_eq!(pattern(b).overlaps(&pattern(a)), overlap, "{b} {a}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let long = "a".repeat(201);
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a.>.b", "a.b*", "a>", "$SYS.x", "_INBOX.x", "é", &long] {
            assert!(bad.parse::<SubjectPattern>().is_err(), "{bad}");
            assert!(check_subject(bad).is_err(), "{bad}");
        }
        assert!(check_subject("orders.created").is_ok());
        assert!(check_subject("orders.*").is_err());
    }
}
