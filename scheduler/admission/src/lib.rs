//! Who may enter: pure state machines that are told the time and decide. No clock, lock, task or log in here.

mod bulkhead;
mod token_bucket;

pub use bulkhead::{Arrival, Bulkhead, BulkheadLimits, Ticket};
pub use token_bucket::TokenBucket;
