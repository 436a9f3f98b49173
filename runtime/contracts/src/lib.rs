//! Contracts: what components promise each other about routes and events, compared before a revision serves and checked
//! while it does. Pure: texts come in, findings come out.

mod api;
mod app;
mod contract;
mod finding;
mod reliance;
mod schema;

pub use api::{Api, compare_apis};
pub use app::{Party, check_app};
pub use contract::{CONTRACT_FILE_BYTES_MAX, CONTRACT_FILES_MAX, Contract, ContractError, EventSchemas};
pub use finding::{Change, Finding, Rule};
pub use reliance::{Answer, Compared, Interaction, Reliance, Request, compare_answer};
pub use schema::{Direction, Schema, SchemaError};
