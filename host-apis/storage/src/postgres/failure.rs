//! What PostgreSQL's errors mean to whoever ran the statement.

use std::io;

use tokio_postgres::error::{DbError, SqlState};

use super::link::{Ended, Link, described};
use crate::error::{ConstraintKind, StorageError};

/// What a statement says that was cancelled; whoever had it cancelled knows why.
pub(super) const CANCELLED: &str = "the statement was cancelled";

/// An error of a statement. Where the connection has ended, it is asked why.
pub(super) async fn of_statement(error: &tokio_postgres::Error, link: &Link, result_bytes_max: u64) -> StorageError {
    if let Some(error) = error.as_db_error() {
        if ends_connection(error.code()) {
            link.break_off();
        }
        if *error.code() == SqlState::FEATURE_NOT_SUPPORTED && error.message().contains("cached plan") {
            // Another host has migrated: compiled anew, it will do.
            link.forget_statements();
            return StorageError::Conflict;
        }
        return of_database(error);
    }
    if !error.is_closed() && !link.is_closed() {
        // The library could not make a message of what it was given.
        return StorageError::Invalid(described(error));
    }
    link.break_off();
    match link.why_ended().await {
        Ended::TooLarge => StorageError::ResultTooLarge { limit_bytes: result_bytes_max },
        Ended::Lost(why) => StorageError::Unreachable(format!("the connection to PostgreSQL was lost: {why}")),
    }
}

/// What ran on a connection of the host's, or what its error means: a row of the host's own is never too large.
pub(super) async fn outcome<T>(ran: Result<T, tokio_postgres::Error>, link: &Link) -> Result<T, StorageError> {
    match ran {
        Ok(value) => Ok(value),
        Err(error) => Err(of_statement(&error, link, 0).await),
    }
}

/// Why nobody could log in.
pub(super) fn of_connecting(error: &tokio_postgres::Error, user: &str) -> StorageError {
    let what = described(error);
    let mend = match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "; every component has a role of its own that logs in with a password: pg_hba.conf has to allow it \
             (method scram-sha-256)"
        }
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "; grant fewer `connections` in [storage.NAME] of hull.toml, or raise max_connections of the server"
        }
        _ => "",
    };
    let text = format!("PostgreSQL does not let {user} in: {what}{mend}");
    if is_away(error) { StorageError::Unreachable(text) } else { StorageError::Other(text) }
}

/// Whether the server, or the network to it, may be better in a moment: it starts, stops, is full, or went away.
fn is_away(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return ends_connection(code) || *code == SqlState::TOO_MANY_CONNECTIONS;
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return matches!(
                io.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
            );
        }
        source = cause.source();
    }
    error.is_closed()
}

fn of_database(error: &DbError) -> StorageError {
    let code = error.code();
    let message = || match error.hint() {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    };
    if let Some(kind) = constraint(code) {
        return StorageError::Constraint { kind, message: message() };
    }
    let class = code.code().get(..2).unwrap_or_default();
    match class {
        "40" => StorageError::Conflict,
        _ if *code == SqlState::QUERY_CANCELED => StorageError::Timeout(CANCELLED.to_owned()),
        _ if *code == SqlState::LOCK_NOT_AVAILABLE => StorageError::Conflict,
        _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => StorageError::Denied(message()),
        _ if *code == SqlState::DISK_FULL => StorageError::Other("the disk of PostgreSQL is full".to_owned()),
        // Raised by a guest's own function.
        "P0" => StorageError::Constraint { kind: ConstraintKind::Other, message: message() },
        "0A" | "20" | "21" | "22" | "2F" | "34" | "38" | "39" | "3D" | "3F" | "42" | "44" | "54" | "55" | "2B"
        | "0L" | "0P" | "2D" => StorageError::Invalid(message()),
        _ => StorageError::Other(format!("PostgreSQL: {} ({})", message(), code.code())),
    }
}

fn constraint(code: &SqlState) -> Option<ConstraintKind> {
    Some(match code.code() {
        "23505" => ConstraintKind::Unique,
        "23503" => ConstraintKind::ForeignKey,
        "23514" => ConstraintKind::Check,
        "23502" => ConstraintKind::NotNull,
        other if other.starts_with("23") => ConstraintKind::Other,
        _ => return None,
    })
}

/// The server ends the connection with these.
fn ends_connection(code: &SqlState) -> bool {
    let code = code.code();
    code.starts_with("08") || code.starts_with("57P") || code == "25P03"
}
