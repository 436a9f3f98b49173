//! Who may enter: pure state machines that are told the time and decide. No clock, lock, task or log in here.

mod bulkhead;

pub use bulkhead::{Arrival, Bulkhead, BulkheadLimits, Ticket};
