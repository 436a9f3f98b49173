//! Canary analysis: who is sent to the new version, and whether it is worse than the old one. Pure: time and figures come
//! in as parameters, decisions go out.

mod canary;
mod exact;
mod split;
mod tally;

pub use canary::{Canary, Comparison, Decision, Measure, Plan, PlanError, Waiting};
pub use split::{Share, Split};
pub use tally::Tally;
