//! Validation of a body that has the right shape: every rule that is broken is collected, so that a client learns
//! all of them at once.

use std::ops::RangeInclusive;

use crate::error::Result;
use crate::ids;
use crate::problem::{FieldError, Problem};

/// Collects what is wrong.
#[derive(Debug, Default)]
pub struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Any rule: `detail` says what would be right.
    pub fn that(&mut self, holds: bool, field: &str, detail: &str) -> &mut Self {
        if !holds {
            self.errors.push(FieldError { field: field.to_owned(), detail: detail.to_owned() });
        }
        self
    }

    /// Text without control characters, of so many characters once trimmed.
    pub fn text(&mut self, field: &str, text: &str, length: RangeInclusive<usize>) -> &mut Self {
        let printable = !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        let fits = length.contains(&text.trim().chars().count());
        let told = format!("must have {} to {} characters", length.start(), length.end());
        self.that(printable, field, "must not hold control characters").that(fits, field, &told)
    }

    /// A number within bounds.
    pub fn range(&mut self, field: &str, number: i64, bounds: RangeInclusive<i64>) -> &mut Self {
        let told = format!("must be from {} to {}", bounds.start(), bounds.end());
        self.that(bounds.contains(&number), field, &told)
    }

    /// The id of something.
    pub fn id(&mut self, field: &str, text: &str) -> &mut Self {
        self.that(ids::is_id(text), field, "must be a UUID")
    }

    /// 422 with every broken rule, if there is one.
    pub fn done(&mut self) -> Result<()> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Problem::fields(std::mem::take(&mut self.errors)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collects_all() {
        let mut check = Check::new();
        check.text("name", "  ", 1..=10).range("quantity", 100, 1..=99).id("productId", "7");
        check.text("note", "fine\n", 0..=10);
        let fields: Vec<&str> = check.errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["name", "quantity", "productId"]);
        assert!(check.done().is_err());
    }
}
