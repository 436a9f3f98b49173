//! What a manifest is read with, besides its text.

use crate::files::Files;
use crate::host::Host;
use crate::variables::{Values, Variables};

/// What a `spin.toml` is read with, besides its text.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The name of the file, for messages.
    pub file: &'a str,
    /// The values of its variables.
    pub values: Values<'a>,
    /// Looks whether the files that it names are there; without it nobody looks.
    pub files: Option<&'a dyn Files>,
    /// The host that it is to run on; without it storages and keys for tokens are not checked.
    pub host: Option<&'a Host>,
}

impl<'a> Reading<'a> {
    /// Read by itself: without values, without looking at files, for no host.
    pub fn alone(file: &'a str) -> Self {
        Self { file, values: Values::Unknown, files: None, host: None }
    }
}

/// What components are read with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) variables: &'a Variables,
    pub(crate) files: Option<&'a dyn Files>,
    pub(crate) host: Option<&'a Host>,
}
