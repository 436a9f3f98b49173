//! Bounds of numbers, and numbers that mean the same.

use std::fmt::{self, Write};

use serde_json::Value;

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct End {
    pub(crate) at: f64,
    /// Whether the end itself is outside.
    pub(crate) excluded: bool,
}

/// Which numbers are admitted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: Option<End>,
    pub(crate) high: Option<End>,
}

impl Range {
    pub(crate) fn holds(self, number: f64) -> bool {
        let above = |end: End| number > end.at || (number >= end.at && !end.excluded);
        let below = |end: End| number < end.at || (number <= end.at && !end.excluded);
        self.low.is_none_or(above) && self.high.is_none_or(below)
    }

    /// Whether whatever the other admits is admitted.
    pub(crate) fn covers(self, other: Self) -> bool {
        let low = self.low.is_none_or(|ours| {
            other
                .low
                .is_some_and(|theirs| theirs.at > ours.at || (theirs.at >= ours.at && theirs.excluded >= ours.excluded))
        });
        let high = self.high.is_none_or(|ours| {
            other
                .high
                .is_some_and(|theirs| theirs.at < ours.at || (theirs.at <= ours.at && theirs.excluded >= ours.excluded))
        });
        low && high
    }

    /// What both admit.
    pub(crate) fn both(self, other: Self) -> Self {
        let low = tighter(self.low, other.low, |a, b| a > b);
        let high = tighter(self.high, other.high, |a, b| a < b);
        Self { low, high }
    }
}

fn tighter(a: Option<End>, b: Option<End>, is_tighter: impl Fn(f64, f64) -> bool) -> Option<End> {
    match (a, b) {
        (Some(a), Some(b)) if is_tighter(a.at, b.at) || (!is_tighter(b.at, a.at) && a.excluded) => Some(a),
        (_, Some(b)) => Some(b),
        (a, None) => a,
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: Option<End>, word: &str| {
            end.map(|end| format!("{word} {}{}", if end.excluded { "but not " } else { "" }, end.at))
        };
        let ends: Vec<String> = [end(self.low, "from"), end(self.high, "to")].into_iter().flatten().collect();
        if ends.is_empty() { f.write_str("any") } else { f.write_str(&ends.join(" ")) }
    }
}

/// Whether a number is a whole multiple, as far as binary fractions can tell.
pub(super) fn is_multiple(number: f64, of: f64) -> bool {
    let turns = number / of;
    (turns - turns.round()).abs() < 1e-9 * turns.abs().max(1.0)
}

/// Whether two values are the same to JSON Schema: 1 and 1.0 are.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64().is_some_and(|a| Some(a) == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// A text that two values share only if they are the same.
pub(super) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => {
            // What is added makes one zero of two.
            let number = number.as_f64().unwrap_or_default() + 0.0;
            let _ = write!(text, "{number:?}");
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in fields {
                write_text(name, text);
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::String(own) => write_text(own, text),
        Value::Null | Value::Bool(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

/// With its length first nothing in it needs to be escaped.
fn write_text(own: &str, text: &mut String) {
    let _ = write!(text, "\"{}:{own}", own.len());
}
