//! Checks a value against a schema within a bound of work, so that neither a schema nor a value can hold up whoever
//! checks.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

use super::number::{canonical, is_multiple, same};
use super::{At, Choice, Rest, Schemas, Shape, Types};

/// Comparisons for one value; some ten milliseconds.
const STEPS_MAX: u64 = 1_000_000;
/// What an alternative costs that does not fit.
const MISMATCH_STEPS: u64 = 10;
/// How deep schemas may lead into each other for one value.
const DEPTH_MAX: u32 = 64;
/// Bytes of text that are looked at in one step.
const TEXT_STEP_BYTES: usize = 64;
/// Bytes of text that are written in one step.
const MESSAGE_STEP_BYTES: usize = 8;

/// Characters of a text that are shown.
const SHOWN_CHARS_MAX: usize = 60;

const MISSING: &str = "is missing";

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    path: String,
    what: String,
    /// Nothing was found out: it would have cost too much.
    costly: bool,
}

impl Mismatch {
    fn new(what: impl Into<String>) -> Self {
        Self { path: String::new(), what: what.into(), costly: false }
    }

    fn costly() -> Self {
        Self { costly: true, ..Self::new("to check it costs more than a host spends on it") }
    }

    fn inside(mut self, place: &str) -> Self {
        self.path.insert_str(0, place);
        self
    }

    fn steps(&self) -> u64 {
        ((self.path.len() + self.what.len()) / MESSAGE_STEP_BYTES) as u64
    }

    /// Where in the value.
    pub(crate) fn path(&self) -> &str {
        self.path.strip_prefix('.').unwrap_or(&self.path)
    }

    /// Whether nothing can be said.
    pub(crate) fn is_costly(&self) -> bool {
        self.costly
    }

    /// Whether something is not there that must be.
    pub(crate) fn is_missing(&self) -> bool {
        self.what == MISSING
    }

    /// What is wrong there.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.what) } else { write!(f, "`{}` {}", self.path(), self.what) }
    }
}

/// The check of one value.
pub(crate) struct Checking<'s> {
    schemas: &'s Schemas,
    steps_max: u64,
    steps_left: u64,
    depth: u32,
}

impl<'s> Checking<'s> {
    pub(crate) fn new(schemas: &'s Schemas) -> Self {
        Self::within(schemas, STEPS_MAX)
    }

    /// The check of one value among others that draw on the same steps.
    pub(crate) fn within(schemas: &'s Schemas, steps_left: u64) -> Self {
        let steps_max = steps_left.min(STEPS_MAX);
        Self { schemas, steps_max, steps_left: steps_max, depth: 0 }
    }

    /// What it took, of what it was given.
    pub(crate) fn spent(&self) -> u64 {
        self.steps_max - self.steps_left
    }

    /// Check a value.
    pub(crate) fn value(&mut self, at: At, value: &Value) -> Result<(), Mismatch> {
        let Some(shape) = self.schemas.shape(at) else { return Ok(()) };
        self.spend(1)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Mismatch::costly());
        }
        let checked = self.shape(shape, value);
        self.depth -= 1;
        checked
    }

    /// Whether a value fits, as far as can be told.
    pub(crate) fn fits_shape(&mut self, shape: &Shape, value: &Value) -> bool {
        self.shape(shape, value).is_ok()
    }

    fn spend(&mut self, steps: u64) -> Result<(), Mismatch> {
        let left = self.steps_left.checked_sub(steps);
        self.steps_left = left.unwrap_or_default();
        left.map(drop).ok_or_else(Mismatch::costly)
    }

    fn shape(&mut self, shape: &Shape, value: &Value) -> Result<(), Mismatch> {
        let kind = Types::of(value);
        if !shape.types.has(kind) {
            return Err(Mismatch::new(format!("is {}, and must be {}", Types::of(value), shape.types)));
        }
        if let Some(values) = &shape.values {
            if !self.is_listed(values, value)? {
                return Err(Mismatch::new(format!("is {}, and must be one of {}", shown(value), list(values))));
            }
        }
        match value {
            Value::Object(fields) => self.object(shape, fields)?,
            Value::Array(items) => self.array(shape, items)?,
            Value::String(text) => self.text(shape, text)?,
            Value::Number(number) => number_fits(shape, number.as_f64().unwrap_or_default())?,
            Value::Null | Value::Bool(_) => {}
        }
        for at in &shape.all {
            self.value(*at, value)?;
        }
        for choice in &shape.choices {
            self.choice(choice, value)?;
        }
        match shape.not {
            Some(at) if self.fits(at, value)? => Err(Mismatch::new("is what it must not be")),
            _ => Ok(()),
        }
    }

    fn object(&mut self, shape: &Shape, fields: &Map<String, Value>) -> Result<(), Mismatch> {
        self.spend((shape.required.len() + fields.len()) as u64)?;
        if let Some(missing) = shape.required.iter().find(|name| !fields.contains_key(*name)) {
            return Err(Mismatch::new(MISSING).inside(&format!(".{}", cut(missing))));
        }
        if !shape.members.holds(fields.len() as u64) {
            return Err(Mismatch::new(format!("has {} fields, and must have {}", fields.len(), shape.members)));
        }
        for (name, value) in fields {
            let at = match (shape.properties.get(name), shape.rest) {
                (Some(at), _) => *at,
                (None, Rest::Like(at)) => at,
                (None, Rest::Anything) => continue,
                (None, Rest::Nothing) => {
                    return Err(Mismatch::new("must not be there").inside(&format!(".{}", cut(name))));
                }
            };
            self.value(at, value).map_err(|mismatch| mismatch.inside(&format!(".{}", cut(name))))?;
        }
        Ok(())
    }

    fn array(&mut self, shape: &Shape, items: &[Value]) -> Result<(), Mismatch> {
        if !shape.length.holds(items.len() as u64) {
            return Err(Mismatch::new(format!("has {} items, and must have {}", items.len(), shape.length)));
        }
        if let Some(at) = shape.items {
            for (n, item) in items.iter().enumerate() {
                self.value(at, item).map_err(|mismatch| mismatch.inside(&format!("[{n}]")))?;
            }
        }
        if shape.unique {
            let mut seen = HashSet::new();
            for item in items {
                let text = canonical(item);
                self.spend((text.len() / MESSAGE_STEP_BYTES) as u64 + parts(item))?;
                if !seen.insert(text) {
                    return Err(Mismatch::new("has an item twice"));
                }
            }
        }
        Ok(())
    }

    /// Texts of one length are compared to their end, in the worst case.
    fn is_listed(&mut self, values: &[Value], value: &Value) -> Result<bool, Mismatch> {
        let text = value.as_str();
        for one in values {
            let is_as_long = one.as_str().map(str::len) == text.map(str::len);
            self.spend(text.filter(|_| is_as_long).map_or(1, text_steps))?;
            if same(one, value) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn text(&mut self, shape: &Shape, text: &str) -> Result<(), Mismatch> {
        if shape.text != super::Count::default() {
            self.spend(text_steps(text))?;
            let length = text.chars().count() as u64;
            if !shape.text.holds(length) {
                return Err(Mismatch::new(format!("has {length} characters, and must have {}", shape.text)));
            }
        }
        if let Some(pattern) = &shape.pattern {
            self.spend(pattern.steps(text))?;
            if !pattern.is_match(text) {
                return Err(Mismatch::new(format!("does not match {:?}", cut(pattern.as_str()))));
            }
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Choice, value: &Value) -> Result<(), Mismatch> {
        let (mut fitting, mut last) = (0, None);
        for at in &choice.of {
            match self.tried(*at, value)? {
                Ok(()) => fitting += 1,
                Err(mismatch) => last = Some(mismatch),
            }
            if fitting > 0 && !choice.exactly_one {
                return Ok(());
            }
        }
        match (fitting, last, choice.of.len()) {
            (1, ..) => Ok(()),
            (0, Some(mismatch), 1) => Err(mismatch),
            (0, ..) => Err(Mismatch::new(format!("is none of the {} kinds that it may be", choice.of.len()))),
            _ => Err(Mismatch::new(format!("is {fitting} of the kinds of which it must be one"))),
        }
    }

    fn fits(&mut self, at: At, value: &Value) -> Result<bool, Mismatch> {
        Ok(self.tried(at, value)?.is_ok())
    }

    /// The outer error is that nothing can be said.
    fn tried(&mut self, at: At, value: &Value) -> Result<Result<(), Mismatch>, Mismatch> {
        let depth = self.depth;
        match self.value(at, value) {
            Err(mismatch) if mismatch.costly => Err(mismatch),
            Err(mismatch) => {
                self.depth = depth;
                // What is said of it costs more than to look.
                self.spend(MISMATCH_STEPS + mismatch.steps())?;
                Ok(Err(mismatch))
            }
            Ok(()) => Ok(Ok(())),
        }
    }
}

fn text_steps(text: &str) -> u64 {
    (text.len() / TEXT_STEP_BYTES) as u64 + 1
}

/// Of how many values a value is made.
fn parts(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(parts).sum::<u64>(),
        Value::Object(fields) => 1 + fields.values().map(parts).sum::<u64>(),
        _ => 1,
    }
}

fn number_fits(shape: &Shape, number: f64) -> Result<(), Mismatch> {
    if !shape.range.holds(number) {
        return Err(Mismatch::new(format!("is {number}, and must be {}", shape.range)));
    }
    match shape.multiple_of.filter(|of| !is_multiple(number, *of)) {
        Some(of) => Err(Mismatch::new(format!("is {number}, and must be a multiple of {of}"))),
        None => Ok(()),
    }
}

/// A text for people, not too long.
pub(super) fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let mut first: String = chars.by_ref().take(SHOWN_CHARS_MAX).collect();
    if chars.next().is_some() {
        first.push('…');
    }
    first
}

/// A value for people, not too long.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        // A text may be as long as an event.
        Value::String(text) => cut(&Value::String(cut(text)).to_string()),
        other => other.to_string(),
    }
}

pub(super) fn list(values: &[Value]) -> String {
    const SHOWN_MAX: usize = 8;
    let more = if values.len() > SHOWN_MAX { ", …" } else { "" };
    let first: Vec<String> = values.iter().take(SHOWN_MAX).map(shown).collect();
    format!("{}{more}", first.join(", "))
}
