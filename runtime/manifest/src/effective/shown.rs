//! The tree between the types and their two forms, TOML and JSON.

use crate::read::Setting;

/// A value of the effective configuration. Displays as TOML, serializes as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// Values in brackets.
    List(Vec<Shown>),
    /// Keys that are written within their parent: `queue.length = 256`.
    Table(Vec<Entry>),
    /// Keys that are written below a header of their own.
    Section(Vec<Entry>),
    /// Tables that are written below `[[headers]]`.
    Sections(Vec<Vec<Entry>>),
    /// Not set, which is the default.
    Absent,
    /// Not set, and what holds in its place; that cannot be written there.
    Implied(Vec<Entry>),
}

/// A key, its value, and whether that is what it would be if it were not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Shown,
    /// Whether the value is the default.
    pub default: bool,
}

impl Entry {
    /// A key that has no default.
    pub(crate) fn new(key: impl Into<String>, value: Shown) -> Self {
        let default = value == Shown::Absent;
        Self { key: key.into(), value, default }
    }

    /// A key that has a default.
    pub(crate) fn defaulted<T: Setting + PartialEq>(key: &str, value: &T, default: &T) -> Self {
        Self { key: key.to_owned(), value: value.show(), default: value == default }
    }
}

impl Shown {
    /// A table whose keys are names.
    pub(crate) fn map(entries: impl Iterator<Item = (String, Shown)>) -> Self {
        Self::Table(entries.map(|(key, value)| Entry::new(key, value)).collect())
    }
}
