//! Guests that mean harm, one small behaviour each, against the real binary. What ends each is the bound that is meant
//! for it; whoever asked is told the right thing, it is counted, and a neighbour notices nothing. docs/hostile.md is
//! the table of it.

// A panic of a thread of the test is the test's own.
#![allow(clippy::expect_used)]

mod attack;
mod calls;
mod concurrent;
mod cpu;
mod encoded;
mod http;
mod loading;
mod memory;
mod messages;
mod storage;
