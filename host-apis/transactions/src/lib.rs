//! `hull:transactions@0.1.0`: a unit of work that an HTTP handler opens and closes itself.
//!
//! The engine puts a [`TransactionsCtx`] into each store, with the same session as key-value, SQL and messaging have,
//! and calls [`add_to_linker`] once per linker. An event handler's session has its unit open already: `begin` says so.

use std::sync::atomic::{AtomicU64, Ordering};

use hull_invocation::ComponentId;
use hull_storage::{Session, StorageError};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};

use self::bindings::hull::transactions::transactions::{Error, Host, HostTransaction};

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic)]
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/transactions",
        imports: { default: async | trappable },
        with: { "hull:transactions/transactions.transaction": crate::Transaction },
    });
}

/// Numbers transactions over all sessions, so that a handle that an instance kept from an earlier invocation cannot
/// be taken for one of this.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// A guest's handle on the unit of work of its invocation.
pub struct Transaction {
    number: u64,
}

/// What one invocation has of transactions.
pub struct TransactionsCtx {
    component: ComponentId,
    session: Option<Session>,
    /// The one that is open.
    open: Option<u64>,
}

impl TransactionsCtx {
    /// Without a session the component has no database: `begin` says which line would give it one.
    pub fn new(component: ComponentId, session: Option<Session>) -> Self {
        Self { component, session, open: None }
    }

    fn session(&self) -> Result<&Session, Error> {
        self.session.as_ref().ok_or_else(|| {
            Error::Other(format!(
                "the component has no database: add `key_value_stores = [\"default\"]` or \
                 `sqlite_databases = [\"default\"]` to [component.{}] of spin.toml",
                self.component.component()
            ))
        })
    }

    /// Whether the handle is that of the open unit; it is not open any more afterwards.
    fn close(&mut self, transaction: &Transaction) -> bool {
        let is_open = self.open == Some(transaction.number);
        if is_open {
            self.open = None;
        }
        is_open
    }
}

/// A store's context and its table of resources, borrowed for one call.
pub struct TransactionsView<'a> {
    /// What the invocation has.
    pub ctx: &'a mut TransactionsCtx,
    /// Where handles are kept.
    pub table: &'a mut ResourceTable,
}

/// Give components of this linker the interface.
pub fn add_to_linker<T: 'static + Send>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> TransactionsView<'_>,
) -> wasmtime::Result<()> {
    bindings::hull::transactions::transactions::add_to_linker::<T, HasTransactions>(linker, view)
}

struct HasTransactions;

impl HasData for HasTransactions {
    type Data<'a> = TransactionsView<'a>;
}

impl Host for TransactionsView<'_> {}

impl HostTransaction for TransactionsView<'_> {
    async fn begin(&mut self) -> wasmtime::Result<Result<Resource<Transaction>, Error>> {
        let session = match self.ctx.session() {
            Ok(session) => session,
            Err(denied) => return Ok(Err(denied)),
        };
        if let Err(failed) = session.begin() {
            return Ok(Err(error(&failed)));
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        match self.table.push(Transaction { number }) {
            Ok(handle) => {
                self.ctx.open = Some(number);
                Ok(Ok(handle))
            }
            Err(failed) => {
                session.abandon();
                Ok(Err(match failed {
                    ResourceTableError::Full => Error::Other("the instance has too many resources open".to_owned()),
                    other => Error::Other(other.to_string()),
                }))
            }
        }
    }

    async fn commit(&mut self, this: Resource<Transaction>) -> wasmtime::Result<Result<(), Error>> {
        self.end(this, true).await
    }

    async fn rollback(&mut self, this: Resource<Transaction>) -> wasmtime::Result<Result<(), Error>> {
        self.end(this, false).await
    }

    async fn drop(&mut self, this: Resource<Transaction>) -> wasmtime::Result<()> {
        let transaction = self.table.delete(this)?;
        if self.ctx.close(&transaction)
            && let Ok(session) = self.ctx.session()
        {
            session.abandon();
        }
        Ok(())
    }
}

impl TransactionsView<'_> {
    async fn end(&mut self, this: Resource<Transaction>, commit: bool) -> wasmtime::Result<Result<(), Error>> {
        let transaction = self.table.delete(this)?;
        if !self.ctx.close(&transaction) {
            return Ok(Err(Error::Expired("its invocation has ended".to_owned())));
        }
        let session = match self.ctx.session() {
            Ok(session) => session,
            Err(denied) => return Ok(Err(denied)),
        };
        let ended = if commit { session.commit().await } else { session.rollback().await };
        Ok(ended.map_err(|failed| error(&failed)))
    }
}

/// What a storage error is in words of this interface.
fn error(error: &StorageError) -> Error {
    let text = error.to_string();
    match error {
        StorageError::AlreadyOpen => Error::AlreadyOpen,
        StorageError::Expired(_) | StorageError::Timeout(_) | StorageError::NotOpen => Error::Expired(text),
        StorageError::Conflict => Error::Conflict,
        StorageError::WouldDeadlock => Error::WouldDeadlock,
        StorageError::QuotaExceeded { .. } => Error::QuotaExceeded(text),
        _ => Error::Other(text),
    }
}

#[cfg(test)]
mod tests;
