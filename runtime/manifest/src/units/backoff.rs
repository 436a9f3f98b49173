//! The range a delay between attempts is drawn from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{format_duration, parse_duration};
use crate::problem::Invalid;
use crate::read::TextSetting;

/// From the first delay to the longest, written `50ms..1s`; it doubles in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffRange {
    /// The bound of the first delay.
    pub first: Duration,
    /// The bound of every later delay.
    pub max: Duration,
}

impl FromStr for BackoffRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str| Invalid::new(format!("\"{text}\" {what}"), format!("write {}", Self::WANTED));
        let (first, max) = text.split_once("..").ok_or_else(|| wrong("is not a range"))?;
        let range = Self { first: parse_duration(first)?, max: parse_duration(max)? };
        if range.first > range.max { Err(wrong("ends before it starts")) } else { Ok(range) }
    }
}

impl fmt::Display for BackoffRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", format_duration(self.first), format_duration(self.max))
    }
}

impl TextSetting for BackoffRange {
    const WANTED: &'static str = "a range of delays such as \"50ms..1s\"";
}
