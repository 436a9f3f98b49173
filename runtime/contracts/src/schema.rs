//! JSON Schema, as much of it as can be compared and checked within a bound: read once, and kept as plain data.

mod check;
mod compare;
mod error;
mod number;
mod pattern;
mod promise;
mod read;
mod steps;
mod types;

pub(crate) use check::{Checking, shown};
pub use compare::Direction;
pub(crate) use compare::compare;
pub use error::SchemaError;
pub(crate) use promise::Promise;
pub(crate) use read::{Reader, escaped, resolve};
pub(crate) use steps::Steps;
pub(crate) use types::Types;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::finding::Change;

/// A schema by its place in [`Schemas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At(usize);

/// All schemas of one document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas {
    shapes: Vec<Shape>,
}

/// What one schema asks for; all of it together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) types: Types,
    /// `enum` and `const`.
    pub(crate) values: Option<Vec<Value>>,
    pub(crate) properties: BTreeMap<String, At>,
    pub(crate) required: BTreeSet<String>,
    pub(crate) rest: Rest,
    pub(crate) members: Count,
    pub(crate) items: Option<At>,
    pub(crate) length: Count,
    pub(crate) unique: bool,
    pub(crate) text: Count,
    pub(crate) pattern: Option<pattern::Pattern>,
    pub(crate) range: number::Range,
    pub(crate) multiple_of: Option<f64>,
    /// `allOf`, and a reference.
    pub(crate) all: Vec<At>,
    pub(crate) choices: Vec<Choice>,
    pub(crate) not: Option<At>,
}

/// `anyOf` or `oneOf`.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) of: Vec<At>,
    pub(crate) exactly_one: bool,
}

/// `additionalProperties`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Rest {
    #[default]
    Anything,
    Nothing,
    Like(At),
}

/// How many there may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) least: u64,
    pub(crate) most: Option<u64>,
}

impl Count {
    pub(crate) fn holds(self, count: u64) -> bool {
        count >= self.least && self.most.is_none_or(|most| count <= most)
    }

    /// Whether whatever the other admits is admitted.
    pub(crate) fn covers(self, other: Self) -> bool {
        let most = match (self.most, other.most) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => theirs <= ours,
        };
        most && other.least >= self.least
    }

    /// What both admit.
    pub(crate) fn both(self, other: Self) -> Self {
        let most = self.most.into_iter().chain(other.most).min();
        Self { least: self.least.max(other.least), most }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.most {
            Some(most) => write!(f, "{} to {most}", self.least),
            None => write!(f, "{} at least", self.least),
        }
    }
}

impl Schemas {
    pub(crate) fn shape(&self, at: At) -> Option<&Shape> {
        self.shapes.get(at.0)
    }
}

/// One schema of a document of its own.
#[derive(Debug, Clone)]
pub struct Schema {
    pub(crate) schemas: Schemas,
    pub(crate) root: At,
}

impl Schema {
    /// Read a schema. All that is wrong with it is told.
    pub fn read(document: &Value) -> Result<Self, Vec<SchemaError>> {
        let mut reader = Reader::new(document);
        let root = reader.schema(document, String::new());
        Ok(Self { schemas: reader.finish()?, root })
    }

    /// Check a value; what is wrong with it, and where. The work is bounded: a value that would cost more is refused.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        Checking::new(&self.schemas).value(self.root, value).map_err(|mismatch| mismatch.to_string())
    }

    /// What of that which `sent` admits is not admitted here.
    pub fn missing_of(&self, sent: &Self, direction: Direction) -> Vec<Change> {
        self.missing_within(sent, direction, &Steps::new())
    }

    /// The same, within steps that others draw on as well.
    pub(crate) fn missing_within(&self, sent: &Self, direction: Direction, steps: &Steps) -> Vec<Change> {
        compare((&self.schemas, self.root), (&sent.schemas, sent.root), direction, "", steps)
    }
}
