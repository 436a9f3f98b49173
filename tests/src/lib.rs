//! Tests of the whole: the real binary, real components, real sockets. This library starts and stops hosts, talks to
//! them, and waits for conditions; the tests say what must hold.

pub mod app;
pub mod cache;
pub mod clock;
pub mod digest;
pub mod events;
pub mod exchange;
pub mod files;
pub mod host;
pub mod http;
pub mod mail;
pub mod nats;
pub mod output;
pub mod postgres;
pub mod probe;
pub mod registry;
pub mod scenario;
pub mod shared;
pub mod shop;
pub mod subset;
pub mod wait;
pub mod web;
