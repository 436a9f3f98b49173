//! Between the storage's types and those of the interface.

use hull_storage as storage;
use hull_storage::StorageError;

use crate::bindings::hull::sql::types::{ConstraintKind, ConstraintViolation, Error, ResultSet, Value};

pub(crate) fn parameters(values: Vec<Value>) -> Vec<storage::Value> {
    let convert = |value| match value {
        Value::Null => storage::Value::Null,
        Value::Boolean(value) => storage::Value::Boolean(value),
        Value::Integer(value) => storage::Value::Integer(value),
        Value::Real(value) => storage::Value::Real(value),
        Value::Text(text) => storage::Value::Text(text),
        Value::Blob(bytes) => storage::Value::Blob(bytes),
    };
    values.into_iter().map(convert).collect()
}

pub(crate) fn result_set(result: storage::ResultSet) -> ResultSet {
    let convert = |value| match value {
        storage::Value::Null => Value::Null,
        storage::Value::Boolean(value) => Value::Boolean(value),
        storage::Value::Integer(value) => Value::Integer(value),
        storage::Value::Real(value) => Value::Real(value),
        storage::Value::Text(text) => Value::Text(text),
        storage::Value::Blob(bytes) => Value::Blob(bytes),
    };
    let rows = result.rows.into_iter().map(|row| row.into_iter().map(convert).collect()).collect();
    ResultSet { columns: result.columns, rows }
}

/// What a storage error is in words of this interface.
pub(crate) fn error(error: StorageError) -> Error {
    let text = error.to_string();
    match error {
        StorageError::Denied(_) => Error::Denied(text),
        StorageError::Invalid(_) => Error::Invalid(text),
        StorageError::Constraint { kind, message } => {
            Error::Constraint(ConstraintViolation { kind: constraint_kind(kind), message })
        }
        StorageError::Conflict => Error::Conflict,
        StorageError::WouldDeadlock => Error::WouldDeadlock,
        StorageError::Timeout(_) | StorageError::Expired(_) => Error::Timeout(text),
        StorageError::TooManyRows { limit } => Error::TooManyRows(limit),
        StorageError::QuotaExceeded { .. } => Error::QuotaExceeded(text),
        StorageError::AlreadyOpen
        | StorageError::NotOpen
        | StorageError::ResultTooLarge { .. }
        | StorageError::IdReused { .. }
        | StorageError::Refused(_)
        | StorageError::Overloaded { .. }
        | StorageError::Corrupt { .. }
        | StorageError::Closed(_)
        | StorageError::Unreachable(_)
        | StorageError::Other(_) => Error::Other(text),
    }
}

fn constraint_kind(kind: storage::ConstraintKind) -> ConstraintKind {
    match kind {
        storage::ConstraintKind::Unique => ConstraintKind::Unique,
        storage::ConstraintKind::ForeignKey => ConstraintKind::ForeignKey,
        storage::ConstraintKind::Check => ConstraintKind::Check,
        storage::ConstraintKind::NotNull => ConstraintKind::NotNull,
        storage::ConstraintKind::Other => ConstraintKind::Other,
    }
}
