//! A PostgreSQL server of a turn's own, the same that the storage is tested with.

// What it cannot do ends the bench; what only tests ask of it stays.
#[allow(clippy::expect_used, dead_code)]
#[path = "../../../host-apis/storage/tests/storage/postgres.rs"]
mod server;

pub(crate) use server::Server;
