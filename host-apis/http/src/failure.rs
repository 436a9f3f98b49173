//! Failures of a request, in the words that `wasi:http` has for the guest.

use std::error::Error as StdError;
use std::io;

use hull_dispatch::BodyError;
use hull_invocation::Failure;
use wasmtime_wasi_http::Error as WasiError;

use crate::connector::refusal_in;

/// What the client reports.
pub(crate) fn of_client(error: &(dyn StdError + 'static)) -> WasiError {
    if let Some(refusal) = refusal_in(error) {
        tracing::info!(%refusal, "an outgoing request was refused");
        return WasiError::DestinationIpProhibited;
    }
    let mut next = Some(error);
    while let Some(error) = next {
        // The request's own body ended it.
        if let Some(WasiError::HttpRequestBodySize(bytes)) = error.downcast_ref::<WasiError>() {
            return WasiError::HttpRequestBodySize(*bytes);
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return of_io(io);
        }
        next = error.source();
    }
    WasiError::InternalError(Some(error.to_string()))
}

fn of_io(error: &io::Error) -> WasiError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => WasiError::ConnectionRefused,
        io::ErrorKind::TimedOut => WasiError::ConnectionTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
            WasiError::ConnectionTerminated
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => WasiError::DestinationUnavailable,
        io::ErrorKind::InvalidData => WasiError::TlsProtocolError,
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::OutOfMemory => {
            WasiError::InternalError(Some(error.to_string()))
        }
        // What the resolver says has no kind that could be named.
        _ => WasiError::DnsError { rcode: Some(error.to_string()), info_code: None },
    }
}

/// What another component reports.
pub(crate) fn of_call(failure: &Failure) -> WasiError {
    match failure {
        Failure::UnknownComponent(_) | Failure::NoHandler { .. } => WasiError::DestinationNotFound,
        Failure::Shed { .. } => WasiError::ConnectionLimitReached,
        Failure::DeadlineExceeded { .. } => WasiError::HttpResponseTimeout,
        Failure::ChainTooLong { .. } => WasiError::LoopDetected,
        Failure::NoResponse { .. } => WasiError::HttpResponseIncomplete,
        Failure::BodyTooLarge { limit_bytes, .. } => WasiError::HttpRequestBodySize(Some(*limit_bytes)),
        Failure::Unavailable { .. } | Failure::Unreachable { .. } => WasiError::DestinationUnavailable,
        Failure::Cancelled => WasiError::ConnectionTerminated,
        Failure::Trapped { .. }
        | Failure::CpuExceeded { .. }
        | Failure::MemoryExceeded { .. }
        | Failure::BadRequest(_)
        | Failure::Internal(_) => WasiError::InternalError(Some(failure.to_string())),
    }
}

/// What breaks a body on its way between components.
pub(crate) fn of_body(error: BodyError) -> WasiError {
    match error {
        BodyError::TooLarge { limit_bytes } => WasiError::HttpResponseBodySize(Some(limit_bytes)),
        BodyError::Peer(_) => WasiError::ConnectionTerminated,
        BodyError::Guest(failure) => of_call(&failure),
    }
}
