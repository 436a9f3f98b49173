//! `wasi:keyvalue@0.2.0-draft2` (store, atomics, batch) on the component's own database, in the same transactions as
//! its SQL and its events.
//!
//! The engine puts a [`KeyValueCtx`] into each store and calls [`add_to_linker`] once per linker.

mod atomics;
mod batch;
mod store;

use hull_invocation::ComponentId;
use hull_storage::{Session, StorageError};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};

use self::bindings::wasi::keyvalue::store::Error;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic)]
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/keyvalue",
        imports: { default: async | trappable },
        with: {
            "wasi:keyvalue/store.bucket": crate::Bucket,
            "wasi:keyvalue/atomics.cas": crate::Cas,
        },
    });
}

/// The one store that a component can have so far.
const STORE: &str = "default";

/// What a bucket is on the host's side: the session belongs to the invocation, so there is nothing to keep.
pub struct Bucket;

/// A value that was looked at and may be replaced if it is still the same.
pub struct Cas {
    key: String,
    seen: Option<Vec<u8>>,
}

/// What one invocation has of key-value.
pub struct KeyValueCtx {
    component: ComponentId,
    session: Option<Session>,
}

impl KeyValueCtx {
    /// Without a session, `key_value_stores` is not granted: opening a store says which line would grant it.
    pub fn new(component: ComponentId, session: Option<Session>) -> Self {
        Self { component, session }
    }
}

/// A store's context and its table of resources, borrowed for one call.
pub struct KeyValueView<'a> {
    /// What the invocation has.
    pub ctx: &'a mut KeyValueCtx,
    /// Buckets and compare-and-swap handles; its capacity bounds how many a guest may have.
    pub table: &'a mut ResourceTable,
}

/// Give components of this linker the three interfaces.
pub fn add_to_linker<T: 'static + Send>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> KeyValueView<'_>,
) -> wasmtime::Result<()> {
    bindings::wasi::keyvalue::store::add_to_linker::<T, HasKeyValue>(linker, view)?;
    bindings::wasi::keyvalue::atomics::add_to_linker::<T, HasKeyValue>(linker, view)?;
    bindings::wasi::keyvalue::batch::add_to_linker::<T, HasKeyValue>(linker, view)
}

struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValueView<'a>;
}

impl KeyValueView<'_> {
    /// The invocation's session, for a bucket that the guest holds.
    fn session(&self) -> Result<&Session, Error> {
        self.ctx.session.as_ref().ok_or_else(|| {
            Error::Other(format!(
                "access denied: add `key_value_stores = [\"{STORE}\"]` to [component.{}] of spin.toml",
                self.ctx.component.component()
            ))
        })
    }

    /// The session behind a bucket. A handle that is none of ours is the guest's fault, and a trap.
    fn of_bucket(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<Result<&Session, Error>> {
        self.table.get(bucket)?;
        Ok(self.session())
    }

    fn push<R: Send + 'static>(&mut self, resource: R) -> Result<Resource<R>, Error> {
        self.table.push(resource).map_err(|error| match error {
            ResourceTableError::Full => Error::Other("the instance has too many resources open".to_owned()),
            other => Error::Other(other.to_string()),
        })
    }
}

/// What a storage error is in words of this interface.
fn error(error: &StorageError) -> Error {
    Error::Other(error.to_string())
}

#[cfg(test)]
mod tests;
