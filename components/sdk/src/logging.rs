//! Log lines. The host adds component, request id and trace.

use crate::bindings::wasi::logging::logging::{Level, log};

/// Something to look into when time allows.
pub fn debug(context: &str, message: &str) {
    log(Level::Debug, context, message);
}

/// Something worth knowing.
pub fn info(context: &str, message: &str) {
    log(Level::Info, context, message);
}

/// Something that went wrong and was dealt with.
pub fn warn(context: &str, message: &str) {
    log(Level::Warn, context, message);
}

/// Something that went wrong and was not.
pub fn error(context: &str, message: &str) {
    log(Level::Error, context, message);
}
