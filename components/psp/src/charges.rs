//! How each token behaves, apart from how it is answered.

use std::time::Duration;

/// How long the slow token takes.
pub(crate) const SLOW: Duration = Duration::from_secs(1);
/// How often the flaky token fails before it works.
pub(crate) const FLAKY_FAILURES: i64 = 2;

/// What a token does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Charges.
    Charge,
    /// Declines.
    Decline,
    /// Charges after a while.
    Slow,
    /// Is not available at first, then charges.
    Flaky,
}

impl Behaviour {
    /// The behaviour of a token, if there is such a token.
    pub(crate) fn of(token: &str) -> Option<Self> {
        match token {
            "tok_ok" => Some(Self::Charge),
            "tok_declined" => Some(Self::Decline),
            "tok_slow" => Some(Self::Slow),
            "tok_flaky" => Some(Self::Flaky),
            _ => None,
        }
    }
}
