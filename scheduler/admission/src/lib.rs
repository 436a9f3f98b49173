//! Who may enter: pure state machines that are told the time and decide. No clock, lock, task or log in here, so that
//! each can be walked through millions of random steps in a test; a thin shell elsewhere drives each.
//!
//! | the question | the machine |
//! |---|---|
//! | May this invocation come into its compartment, wait for a slot, or is it shed? | [`Bulkhead`] |
//! | May this component have more of a resource: by rate, by what it holds, by how many hold it? Else reject or throttle | [`Quota`] |
//! | How many of a rate may go now, and when the next, if nobody waits in line for it? | [`TokenBucket`] |
//! | Is there room for these bytes below this account's ceiling and the host's total, what is set aside for others, and who is to be shed first? | [`ByteAccounts`] |
//! | Whose guest runs next, by what each has used of the CPU for its weight? | [`FairQueue`], [`Share`] |
//! | Until when is a component held that has used its `cpu-rate` up? | [`CpuRate`] |
//! | How much of what a component uses is covered by its `reserve.cpu`? | [`CpuReserve`] |
//!
//! A bulkhead counts invocations on their way in, and says on leaving who is next. A quota is for everything that an
//! invocation uses once it is inside. Those that wait do so in one kind of line: bounded in length and time, first come,
//! first served, named by a [`Ticket`]. What is taken is given back once by whoever took it; a machine that is told to
//! take back more than is held stays at zero. Time that goes back gives nothing and breaks nothing.

mod bulkhead;
mod byte_accounts;
mod cpu_rate;
mod cpu_reserve;
mod fair_queue;
mod nanos;
mod quota;
#[cfg(test)]
mod simulated_shell;
#[cfg(test)]
mod simulation;
mod token_bucket;
mod wait_queue;

pub use bulkhead::{Arrival, Bulkhead, BulkheadLimits};
pub use byte_accounts::{AccountId, AccountLimits, ByteAccounts, BytesRefused};
pub use cpu_rate::CpuRate;
pub use cpu_reserve::CpuReserve;
pub use fair_queue::{FairQueue, Floor, Share};
pub use nanos::nanos;
pub use quota::{Quota, QuotaBound, QuotaPolicy, Take};
pub use token_bucket::TokenBucket;
pub use wait_queue::Ticket;
