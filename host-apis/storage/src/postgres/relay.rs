//! Whose relay it is. Several hosts may have the same component; one of them publishes what all of them commit, so that
//! events go out in order. It holds a lock on a table of the host's, in a transaction that is open for as long as it
//! relays and has no snapshot: guests can take advisory locks, but not this one, and a host that is gone gives it up
//! with its connection. All components of a host share that connection, and one on which the others tell it that they
//! have committed something.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Shared;
use super::failure;
use super::link::Link;
use super::scope::Scope;
use crate::error::StorageError;

/// Where hosts tell each other of what there is to relay.
const CHANNEL: &str = "hull_relay";

/// The locks that this host holds in one database.
#[derive(Default)]
pub(super) struct RelayLocks {
    held: Mutex<Option<Held>>,
    /// Who is woken when another host has told of it.
    relaying: Arc<parking_lot::Mutex<HashMap<String, Weak<Shared>>>>,
}

struct Held {
    link: Link,
    /// Only listens: nothing is told within a transaction.
    listener: Link,
    /// The tables that are locked.
    tables: HashSet<String>,
}

impl RelayLocks {
    /// Whether this host's relay is the component's: it is taken if nobody else has it.
    pub(super) async fn is_ours(&self, shared: &Arc<Shared>) -> Result<bool, StorageError> {
        let opened = shared.opened().await?;
        let table = format!("{}.hull_relay", opened.host_schema);
        let mut locks = self.held.lock().await;
        let held = match &mut *locks {
            Some(held) if held.link.is_usable() && held.listener.is_usable() => held,
            // With the connection all locks are gone.
            none => {
                *none = None;
                none.insert(self.begin(shared).await?)
            }
        };
        if held.tables.contains(&table) {
            return Ok(true);
        }
        let client = held.link.client();
        held.link.send("SAVEPOINT hull_relay");
        match client.batch_execute(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE NOWAIT")).await {
            Ok(()) => {
                held.link.send("RELEASE hull_relay");
                held.tables.insert(table);
                self.relaying.lock().insert(shared.component.to_string(), Arc::downgrade(shared));
                Ok(true)
            }
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                held.link.send("ROLLBACK TO hull_relay; RELEASE hull_relay");
                Ok(false)
            }
            Err(error) => {
                held.link.break_off();
                Err(failure::of_statement(&error, &held.link, 0).await)
            }
        }
    }

    /// Another host may have it. The others of this host take theirs again when they look.
    pub(super) async fn give_up(&self) {
        drop(self.held.lock().await.take());
    }

    async fn begin(&self, shared: &Arc<Shared>) -> Result<Held, StorageError> {
        let relaying = Arc::clone(&self.relaying);
        let told = move |component: &str| {
            if let Some(shared) = relaying.lock().get(component).and_then(Weak::upgrade) {
                shared.outbox_changed.notify_one();
            }
        };
        let listener = shared.server.relay_link(told).await?;
        listener.send(&format!("LISTEN {CHANNEL}"));
        let link = shared.server.relay_link(|_| {}).await?;
        link.send("BEGIN");
        Ok(Held { link, listener, tables: HashSet::new() })
    }
}

/// Tell whoever relays for the component that there may be something.
pub(super) async fn tell(scope: &Scope<'_>) -> Result<(), StorageError> {
    let component = scope.shared.component.to_string();
    scope.host("SELECT pg_notify($1, $2)", &[(&CHANNEL, Type::TEXT), (&component, Type::TEXT)]).await.map(drop)
}
