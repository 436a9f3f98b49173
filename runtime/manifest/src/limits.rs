//! What one component may use. Limits are ceilings, not reservations; every one has a default.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::bulkhead::{COUNT_MAX, at_least_one};
use crate::read::settings;
use crate::units::{ByteRate, ByteSize, Percent, Rate};

const ONE_BYTE: ByteSize = ByteSize::bytes(1);
/// A page of WebAssembly memory: no instance lives with less.
const MEMORY_MIN: ByteSize = ByteSize::kib(64);
/// What 32-bit memories can hold.
const MEMORY_MAX: ByteSize = ByteSize::gib(4);
/// Space for the tables that the host keeps in each database.
const STORAGE_MIN: ByteSize = ByteSize::mib(1);

settings! {
    /// The bounds of one component.
    pub struct Limits {
        /// All memories and tables of an instance together, and what the host allocates for it.
        "memory" memory: ByteSize = ByteSize::mib(64), within MEMORY_MIN..=MEMORY_MAX;
        /// CPU time of one invocation.
        "cpu-per-invocation" cpu_per_invocation: Duration = Duration::from_millis(200);
        /// A hard cap over a second, of one core; none means that weights share what there is.
        "cpu-rate" cpu_rate: Option<Percent> = None, within Some(Percent::new(1))..=Some(Percent::new(100_000));
        /// Wall time of one invocation, to the last byte of the answer.
        "time" time: Duration = Duration::from_secs(5);
        /// Invocations at once.
        "concurrency" concurrency: NonZeroU32 = at_least_one(32), within ..=COUNT_MAX;
        /// The body of a request.
        "body-in-max" body_in_max: ByteSize = ByteSize::mib(4);
        /// The database, key-value store, outbox and marks together; a part is kept for the last two.
        "storage" storage: ByteSize = ByteSize::mib(256), within STORAGE_MIN..;
        /// One value of the key-value store.
        "value-max" value_max: ByteSize = ByteSize::mib(1), within ONE_BYTE..=ByteSize::gib(1);
        /// One SQL statement.
        "statement" statement: StatementLimits = StatementLimits::default();
        /// How long a unit of work may hold the writer.
        "transaction-time" transaction_time: Duration = Duration::from_secs(1);
        /// Events handled at once.
        "consumers" consumers: NonZeroU32 = at_least_one(8), within ..=at_least_one(4096);
        /// What it publishes.
        "messages" messages: MessageLimits = MessageLimits::default();
        /// What it writes to the log; more is cut and counted.
        "logs" logs: ByteRate = ByteRate::per_second(ByteSize::mib(1));
        /// What it asks of others.
        "outbound" outbound: OutboundLimits = OutboundLimits::default();
    }
}

settings! {
    /// The bounds of one SQL statement.
    pub struct StatementLimits {
        /// How long it may run.
        "time" time: Duration = Duration::from_secs(1);
        /// How many rows it may give.
        "rows-max" rows_max: NonZeroU32 = at_least_one(10_000), within ..=at_least_one(10_000_000);
    }
}

settings! {
    /// The bounds of what a component publishes.
    pub struct MessageLimits {
        /// How often.
        "rate" rate: Rate = Rate::per_second(500);
        /// One event, with its headers.
        "size-max" size_max: ByteSize = ByteSize::kib(256), within ONE_BYTE..=ByteSize::mib(8);
    }
}

settings! {
    /// The bounds of requests to other components and hosts.
    pub struct OutboundLimits {
        /// Requests at once.
        "concurrency" concurrency: NonZeroU32 = at_least_one(16), within ..=COUNT_MAX;
        /// One request, to the last byte of its answer.
        "time" time: Duration = Duration::from_secs(2);
        /// The body of a request, and that of an answer.
        "body-max" body_max: ByteSize = ByteSize::mib(4);
    }
}

settings! {
    /// What is set aside for a component; the host refuses what it cannot hold.
    pub struct Reserve {
        /// Of the host's memory.
        "memory" memory: ByteSize = ByteSize::bytes(0);
        /// Of the CPU, of one core.
        "cpu" cpu: Percent = Percent::new(0), within ..=Percent::new(100_000);
    }
}
