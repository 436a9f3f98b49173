//! Who may enter: pure state machines that are told the time and decide. No clock, lock, task or log in here.

mod bulkhead;
mod cpu_rate;
mod fair_queue;
mod token_bucket;

pub use bulkhead::{Arrival, Bulkhead, BulkheadLimits, Ticket};
pub use cpu_rate::CpuRate;
pub use fair_queue::{FairQueue, Floor, Share};
pub use token_bucket::TokenBucket;
