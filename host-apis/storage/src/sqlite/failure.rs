//! What SQLite's errors mean to whoever ran the statement.

use hull_invocation::Resource;
use rusqlite::ffi::{self, ErrorCode};

use super::connection::{Connection, Place};
use crate::error::{ConstraintKind, StorageError};

/// With less than this the disk counts as full.
const DISK_BYTES_LEFT_MIN: u64 = 4 << 20;

/// An error of a statement, on the connection that ran it.
pub(super) fn of_statement(error: &rusqlite::Error, connection: &Connection) -> StorageError {
    if let Some(reason) = connection.guard.take_denial() {
        return StorageError::Denied(reason);
    }
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return connection.control.interruption();
    }
    if error.sqlite_error_code() == Some(ErrorCode::TooBig) && connection.control.is_glance() {
        // Not refused: it is read elsewhere, within the component's own bound.
        return StorageError::Invalid("it is too large to be tried".to_owned());
    }
    of_sqlite(error, &connection.place)
}

/// Whether the file may not or cannot grow; SQLite has the same code for both.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether the disk has room left, so that it was a bound of ours.
pub(super) fn disk_has_room(place: &Place) -> bool {
    let disk = rustix::fs::statvfs(&place.file);
    disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= DISK_BYTES_LEFT_MIN)
}

/// An error of the host's own statements: never the fault of a guest's text.
pub(super) fn of_host(error: &rusqlite::Error, place: &Place) -> StorageError {
    match of_sqlite(error, place) {
        StorageError::Invalid(message) => {
            StorageError::Other(format!("the database of {}: {message}", place.component))
        }
        other => other,
    }
}

fn of_sqlite(error: &rusqlite::Error, place: &Place) -> StorageError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return of_library(error, place);
    };
    let text = || message.clone().unwrap_or_else(|| code.to_string());
    match code.code {
        ErrorCode::ConstraintViolation => {
            StorageError::Constraint { kind: constraint(code.extended_code), message: text() }
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StorageError::Conflict,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StorageError::Corrupt {
            file: place.file.clone(),
            message: format!("is damaged ({}); it is left as it is: restore it from a copy", text()),
        },
        ErrorCode::DiskFull => {
            StorageError::Other(format!("the database of {} cannot grow: the disk is full", place.component))
        }
        ErrorCode::TooBig => {
            place.reject(Resource::Value);
            StorageError::Invalid(format!("{} (limits.value-max)", text()))
        }
        ErrorCode::OperationInterrupted => StorageError::Timeout("the statement was interrupted".to_owned()),
        ErrorCode::AuthorizationForStatementDenied => StorageError::Denied(text()),
        ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange => StorageError::Invalid(text()),
        ErrorCode::ApiMisuse => StorageError::Invalid("there is no statement in the text".to_owned()),
        _ => StorageError::Other(format!("the database of {} failed: {}", place.component, text())),
    }
}

fn of_library(error: &rusqlite::Error, place: &Place) -> StorageError {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => StorageError::Invalid(msg.clone()),
        rusqlite::Error::MultipleStatement => {
            StorageError::Invalid("one call runs one statement; this text has several".to_owned())
        }
        rusqlite::Error::NulError(_) => StorageError::Invalid("the text contains a NUL character".to_owned()),
        rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::Utf8Error(..) => {
            StorageError::Invalid(error.to_string())
        }
        other => StorageError::Other(format!("the database of {} failed: {other}", place.component)),
    }
}

fn constraint(extended_code: i32) -> ConstraintKind {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            ConstraintKind::Unique
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK => ConstraintKind::Check,
        ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
        _ => ConstraintKind::Other,
    }
}
