//! Whether an answer is what a consumer relies on, field by field.

use serde_json::Value;

use super::{Expected, Interaction, Reader, inside};
use crate::schema::{Types, shown};

/// Lines of one comparison.
const LINES_MAX: usize = 1_000;

/// An answer that was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body; none if it is no JSON.
    pub body: Option<Value>,
}

/// One field of an answer, and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Which: `status`, `header NAME`, or a path into the body.
    pub field: String,
    /// What is relied on.
    pub expected: String,
    /// What came.
    pub found: String,
    /// Whether that will do.
    pub fits: bool,
}

/// Compare an answer with what is read of it.
pub fn compare_answer(interaction: &Interaction, answer: &Answer) -> Vec<Compared> {
    let expected = &interaction.response;
    let mut comparing = Comparing { reader: Reader { expected }, lines: Vec::new() };
    comparing.line("status", expected.status.to_string(), answer.status.to_string(), expected.status == answer.status);
    comparing.headers(expected, answer);
    match (&expected.body, &answer.body) {
        (None, _) => {}
        (Some(wanted), Some(body)) => comparing.value(wanted, body, ""),
        (Some(wanted), None) => comparing.line("body", kind(wanted), "no JSON".to_owned(), false),
    }
    comparing.lines
}

struct Comparing<'e> {
    reader: Reader<'e>,
    lines: Vec<Compared>,
}

impl Comparing<'_> {
    fn line(&mut self, field: &str, expected: String, found: String, fits: bool) {
        if self.lines.len() < LINES_MAX {
            let field = if field.is_empty() { "body" } else { field }.to_owned();
            self.lines.push(Compared { field, expected, found, fits });
        }
    }

    fn headers(&mut self, expected: &Expected, answer: &Answer) {
        for (name, wanted) in &expected.headers {
            let found = answer.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
            let found = found.map_or("nothing", |(_, value)| value.as_str());
            // `application/json` is also what says its charset.
            let fits = found == wanted || found.split(';').next().is_some_and(|first| first.trim() == wanted);
            self.line(&format!("header {name}"), wanted.clone(), found.to_owned(), fits);
        }
    }

    fn value(&mut self, wanted: &Value, found: &Value, path: &str) {
        if wanted.is_null() || (found.is_null() && self.reader.is_optional(path)) {
            return self.line(path, kind(wanted), shown(found), true);
        }
        if self.reader.is_exact(path) {
            return self.line(path, shown(wanted), shown(found), wanted == found);
        }
        match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => {
                for (name, wanted) in wanted {
                    let path = inside(path, name);
                    match found.get(name) {
                        Some(found) => self.value(wanted, found, &path),
                        None => self.line(&path, kind(wanted), "nothing".to_owned(), self.reader.is_optional(&path)),
                    }
                }
            }
            (Value::Array(wanted), Value::Array(found)) => self.items(wanted, found, path),
            _ => self.line(path, kind(wanted), shown(found), is_like(wanted, found)),
        }
    }

    /// Each item is like the first of the example; where there is an example there is an item.
    fn items(&mut self, wanted: &[Value], found: &[Value], path: &str) {
        let Some(first) = wanted.first() else {
            return self.line(path, "a list".to_owned(), format!("a list of {}", found.len()), true);
        };
        if found.is_empty() && !self.reader.is_optional(path) {
            return self.line(path, "a list with something in it".to_owned(), "an empty list".to_owned(), false);
        }
        let path = format!("{path}[]");
        for (n, item) in found.iter().enumerate() {
            let before = self.lines.len();
            self.value(first, item, &path);
            // What holds for the first item is told once; what is wrong is told wherever it is.
            if n > 0 {
                let told = self.lines.split_off(before);
                self.lines.extend(told.into_iter().filter(|line| !line.fits));
            }
        }
    }
}

/// Whether a reader of the one can read the other.
fn is_like(wanted: &Value, found: &Value) -> bool {
    let (wanted, found) = (Types::of(wanted), Types::of(found));
    wanted == found || (wanted != Types::INTEGER && Types::NUMBER.has(wanted) && Types::NUMBER.has(found))
}

fn kind(value: &Value) -> String {
    if value.is_null() { "anything".to_owned() } else { Types::of(value).to_string() }
}
