//! The storage of a component, on real files: what is promised is tried, also with the process killed half-way.

mod crash;
mod durability;
mod events;
mod fixture;
mod guard;
mod keyvalue;
mod limits;
mod migrations;
mod outbox;
mod state_dir;
mod statements;
mod units;
