//! The query string: decoded pairs, and numbers with their bounds.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::Result;
use crate::problem::Problem;

/// A parsed query string; of a name given twice the first counts.
#[derive(Debug)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Parse what stands behind the `?`.
    pub fn parse(text: &'a str) -> Self {
        Self { pairs: form_urlencoded::parse(text.as_bytes()).collect() }
    }

    /// A parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_ref()).filter(|v| !v.is_empty())
    }

    /// A parameter that has to be there.
    pub fn required(&self, name: &str) -> Result<&str> {
        Ok(self.get(name).ok_or_else(|| bad(name, "must be given in the query"))?)
    }

    /// A whole number within bounds, or the default where it is not given.
    pub fn number(&self, name: &str, default: i64, bounds: RangeInclusive<i64>) -> Result<i64> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = text.parse::<i64>().ok().filter(|n| bounds.contains(n));
        let told = || bad(name, &format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
        Ok(number.ok_or_else(told)?)
    }
}

fn bad(name: &str, detail: &str) -> Problem {
    Problem::invalid(name, detail).with_status(http::StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_and_bounds() {
        let query = Query::parse("q=green%20tea+mug&page=3&empty=&page=9");
        assert_eq!(query.get("q"), Some("green tea mug"));
        assert_eq!(query.get("empty"), None);
        assert_eq!(query.number("page", 1, 1..=10).ok(), Some(3));
        assert_eq!(query.number("size", 20, 1..=100).ok(), Some(20));
        assert!(query.number("page", 1, 4..=10).is_err());
        assert!(query.required("user").is_err());
    }
}
