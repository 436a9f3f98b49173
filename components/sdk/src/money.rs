//! Money as whole cents: no fractions, no overflow, never negative.

use serde::{Deserialize, Serialize};

/// The most that any amount can be: ten billion, far inside what JSON numbers hold exactly.
pub const CENTS_MAX: i64 = 1_000_000_000_000;

/// An amount in cents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Cents(i64);

/// An amount that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whole cents from 0 to {CENTS_MAX}")]
pub struct NoAmount;

impl TryFrom<i64> for Cents {
    type Error = NoAmount;

    fn try_from(cents: i64) -> Result<Self, NoAmount> {
        if (0..=CENTS_MAX).contains(&cents) { Ok(Self(cents)) } else { Err(NoAmount) }
    }
}

impl From<Cents> for i64 {
    fn from(cents: Cents) -> i64 {
        cents.0
    }
}

/// `1234.50`, without a currency.
impl std::fmt::Display for Cents {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }

    /// So many times the amount.
    pub fn times(self, quantity: u32) -> Result<Self, NoAmount> {
        self.0.checked_mul(i64::from(quantity)).ok_or(NoAmount)?.try_into()
    }

    /// Both amounts together.
    pub fn plus(self, other: Self) -> Result<Self, NoAmount> {
        self.0.checked_add(other.0).ok_or(NoAmount)?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_bounds() {
        let price = Cents::try_from(1_999).expect("an amount");
        assert_eq!(price.times(3).map(Cents::get), Ok(5_997));
        assert_eq!(price.plus(price).map(Cents::get), Ok(3_998));
        assert_eq!(price.to_string(), "19.99");
        assert_eq!(Cents::try_from(-1), Err(NoAmount));
        assert_eq!(Cents::try_from(CENTS_MAX).and_then(|c| c.times(2)), Err(NoAmount));
        assert!(serde_json::from_str::<Cents>("10.5").is_err());
        assert!(serde_json::from_str::<Cents>("-1").is_err());
        assert_eq!(serde_json::to_string(&price).ok().as_deref(), Some("1999"));
    }
}
