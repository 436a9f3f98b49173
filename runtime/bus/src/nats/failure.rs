//! What the server's refusals mean here, in one place.

use std::fmt::Display;

use async_nats::jetstream::Error;
use async_nats::jetstream::ErrorCode;

use crate::error::BusError;

/// The server holds the id of a message that it is still storing.
const DUPLICATE_IN_PROCESS: ErrorCode = ErrorCode(10158);

/// Why a publish was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotStored {
    /// A bound of the stream or of the server is reached.
    Full(String),
    /// It may be stored if it is sent again.
    Again(String),
    /// The message is larger than the stream takes.
    TooLarge,
}

/// What the server's error about a publish means.
pub(super) fn not_stored(error: &Error) -> NotStored {
    let text = error.to_string();
    match error.error_code() {
        // The generic error of the store: its text says which bound.
        ErrorCode::STREAM_STORE_FAILED if text.contains("maximum") => NotStored::Full(text),
        ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => NotStored::Full(text),
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => NotStored::TooLarge,
        DUPLICATE_IN_PROCESS => NotStored::Again("it is being stored".to_owned()),
        _ => NotStored::Again(text),
    }
}

/// The bus of this app cannot do it now.
pub(super) fn unavailable(app: &str, reason: impl Display) -> BusError {
    BusError::Unavailable { app: app.to_owned(), reason: reason.to_string() }
}

/// There is no connection to ask over.
pub(super) fn unconnected(app: &str, address: &str) -> BusError {
    unavailable(app, format!("there is no connection to NATS at {address}"))
}
