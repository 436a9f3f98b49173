//! The storage of a component, on real files: what is promised is tried, also with the process killed half-way.

// A fixture that cannot be made fails the test that wanted it.
#![allow(clippy::expect_used)]

mod crash;
mod durability;
mod events;
mod fixture;
mod guard;
mod keyvalue;
mod limits;
mod long_statements;
mod migrations;
mod outbox;
mod point_reads;
// The harness of other tests does more with it.
#[allow(dead_code)]
mod postgres;
mod postgres_guard;
mod postgres_hosts;
mod postgres_purge;
mod quota;
mod sabotage;
mod schema;
mod state_dir;
mod statements;
mod transaction_time;
mod units;
