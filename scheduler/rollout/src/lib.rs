//! Who is sent to a new version, and whether that is worse than the old one; who sees which value of a flag. Pure: time and
//! figures come in as parameters, decisions go out.

mod canary;
mod exact;
mod flags;
mod split;
mod sticky;
mod tally;

pub use canary::{Canary, Comparison, Decision, Measure, Plan, PlanError, Waiting};
pub use flags::{
    Decided, FLAGS_MAX, Flag, FlagError, Flags, KEY_BYTES_MAX, RULES_MAX, Rule, VALUE_BYTES_MAX, When, Which,
};
pub use split::{Share, Split};
pub use sticky::{Asks, cookie_of, key_of};
pub use tally::Tally;
