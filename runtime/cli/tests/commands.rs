//! The binary as people call it: exit statuses, what is printed where, and what bad input gets.

#![allow(clippy::expect_used, reason = "what cannot be set up fails its test")]

#[path = "commands/build.rs"]
mod build;
#[path = "commands/check.rs"]
mod check;
#[path = "commands/host.rs"]
mod host;
#[path = "commands/new.rs"]
mod new;
#[path = "commands/run.rs"]
mod run;
