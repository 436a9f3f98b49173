//! What is wrong with a schema, and where: whoever wrote it can find the place.

use std::fmt;

/// What is wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Where: a JSON pointer into the document.
    pub at: String,
    /// What, and what would be right.
    pub what: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { f.write_str(&self.what) } else { write!(f, "at {}: {}", self.at, self.what) }
    }
}
