//! How often something may happen, and shares of a whole.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::number_and_unit;
use crate::problem::Invalid;
use crate::read::TextSetting;

const PERIODS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

/// So many in a second, a minute or an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In which time.
    pub per: Duration,
}

impl Rate {
    /// So many in a second; zero counts as one.
    pub const fn per_second(count: u32) -> Self {
        let count = match NonZeroU32::new(count) {
            Some(count) => count,
            None => NonZeroU32::MIN,
        };
        Self { count, per: Duration::from_secs(1) }
    }
}

impl FromStr for Rate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str| Invalid::new(format!("\"{text}\" {what}"), format!("write {}", Self::WANTED));
        let (number, unit) = number_and_unit(text, Self::WANTED)?;
        let period = unit.strip_prefix('/').and_then(|unit| PERIODS.iter().find(|(name, _)| *name == unit));
        let (_, seconds) = period.ok_or_else(|| wrong("is not a number per second, minute or hour"))?;
        let count = u32::try_from(number).map_err(|_| wrong("is too large"))?;
        let count = NonZeroU32::new(count).ok_or_else(|| wrong("lets nothing through"))?;
        Ok(Self { count, per: Duration::from_secs(*seconds) })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = PERIODS.iter().find(|(_, seconds)| *seconds == self.per.as_secs());
        write!(f, "{}/{}", self.count, known.map_or("s", |(name, _)| name))
    }
}

impl TextSetting for Rate {
    const WANTED: &'static str = "a rate such as \"500/s\" or \"30/m\"";
}

/// A share, in whole percent. Of one core, where it is CPU: 200% are two cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u32);

impl Percent {
    /// So many percent.
    pub const fn new(percent: u32) -> Self {
        Self(percent)
    }

    /// In percent.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// As a part of one.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl FromStr for Percent {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str| Invalid::new(format!("\"{text}\" {what}"), format!("write {}", Self::WANTED));
        let (number, unit) = number_and_unit(text, Self::WANTED)?;
        if unit != "%" {
            return Err(wrong("does not end with %"));
        }
        u32::try_from(number).map(Self).map_err(|_| wrong("is too large"))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl TextSetting for Percent {
    const WANTED: &'static str = "a percentage such as \"50%\"";
}
