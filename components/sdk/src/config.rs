//! Settings and secrets: the `variables` of the manifest.

use crate::bindings::wasi::config::store;
use crate::error::Result;

/// A setting, if the manifest has it.
pub fn get(key: &str) -> Result<Option<String>> {
    Ok(store::get(key)?)
}
