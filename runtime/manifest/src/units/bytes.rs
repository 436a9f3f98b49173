//! Sizes in bytes, in binary units only, so that nobody has to guess whether a kilobyte has 1000 of them.

use std::fmt;
use std::str::FromStr;

use super::{number_and_unit, unknown_unit};
use crate::problem::Invalid;
use crate::read::TextSetting;

const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// So many times 1024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// So many times 1024² bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// So many times 1024³ bytes.
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// How many bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (number, unit) = number_and_unit(text, Self::WANTED)?;
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, factor)) = known else {
            let letter = unit.trim().chars().next().map(|letter| letter.to_ascii_uppercase());
            let near = letter.and_then(|letter| UNITS.iter().find(|(name, _)| name.starts_with(letter)));
            let remedy = match near {
                Some((name, _)) => format!("write \"{number}{name}\"; the units are B, KiB, MiB, GiB and TiB"),
                None => format!("write {}", Self::WANTED),
            };
            return Err(Invalid::new(format!("\"{text}\" {}", unknown_unit(unit)), remedy));
        };
        let bytes = number.checked_mul(*factor);
        // TOML and JSON readers elsewhere have 63 bits.
        let bytes = bytes.filter(|bytes| i64::try_from(*bytes).is_ok());
        let too_large = || Invalid::new(format!("\"{text}\" is too large"), "write less than 8388608TiB");
        bytes.map(Self).ok_or_else(too_large)
    }
}

/// In the largest unit that fits without a remainder.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        let (name, factor) = UNITS.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

impl TextSetting for ByteSize {
    const WANTED: &'static str = "a size such as \"256KiB\" or \"64MiB\"";
}

/// A number of bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRate(ByteSize);

impl ByteRate {
    /// So many bytes in a second.
    pub const fn per_second(size: ByteSize) -> Self {
        Self(size)
    }

    /// How many bytes in a second.
    pub const fn bytes_per_second(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for ByteRate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str| Invalid::new(format!("\"{text}\" {what}"), format!("write {}", Self::WANTED));
        let size = text.strip_suffix("/s").ok_or_else(|| wrong("is not a rate per second"))?;
        let size: ByteSize = size.parse()?;
        if size.get() == 0 { Err(wrong("lets nothing through")) } else { Ok(Self(size)) }
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl TextSetting for ByteRate {
    const WANTED: &'static str = "a rate such as \"1MiB/s\"";
}
