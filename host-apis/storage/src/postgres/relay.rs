//! Whose relay it is. Several hosts may have the same component; one of them publishes what all of them commit, so that
//! events go out in order. It holds a lock on a table of the host's, in a transaction that is open for as long as it
//! relays and has no snapshot: guests can take advisory locks, but not this one, and a host that is gone gives it up
//! with its connection. All components of a host share that connection, and one on which the others tell it that they
//! have committed something.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Shared;
use super::failure;
use super::link::Link;
use super::scope::{Scope, column};
use super::server::APPLICATION_ALONE;
use crate::error::StorageError;

/// Where hosts tell each other of what there is to relay.
const CHANNEL: &str = "hull_relay";

/// How long a host that was killed may take to give up what it held.
const GONE_TIME: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
        attend(shared).await?;
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
        let locked = client.batch_execute(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE NOWAIT")).await;
        if let Err(error) = &locked {
            if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
                held.link.send("ROLLBACK TO hull_relay; RELEASE hull_relay");
                return Ok(false);
            }
            held.link.break_off();
        }
        failure::outcome(locked, &held.link).await?;
        held.link.send("RELEASE hull_relay");
        held.tables.insert(table);
        self.relaying.lock().insert(shared.component.to_string(), Arc::downgrade(shared));
        Ok(true)
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

/// Whether this host may work with the component's data beside those that do. Hosts that share it have to hear of each
/// other's events, so one whose bus is its own has the data for itself as well: it takes the relay, and whoever finds it
/// taken by such a host stays away.
pub(super) async fn claim(shared: &Arc<Shared>) -> Result<(), StorageError> {
    let until = hull_clock::now() + GONE_TIME;
    loop {
        let is_alone = shared.server.is_alone();
        let taken = if is_alone { !shared.server.relays.is_ours(shared).await? } else { is_of_one(shared).await? };
        if !taken {
            return attend(shared).await;
        }
        if hull_clock::now() >= until {
            let whose = if is_alone { "this host's bus is its own" } else { "that host's bus is its own" };
            return Err(StorageError::Other(format!(
                "another host works with the data of {} in PostgreSQL, and {whose}: neither would hear of the other's \
                 events. Stop the other one, or set `backend = \"nats\"` in [bus] of the hull.toml of both",
                shared.component
            )));
        }
        tokio::time::sleep_until((hull_clock::now() + LOOK_EVERY).into()).await;
    }
}

/// Others see from now on that this host works with the component.
async fn attend(shared: &Arc<Shared>) -> Result<(), StorageError> {
    let (server, opened) = (&shared.server, shared.opened().await?);
    server.presence.attend(server, &shared.component.to_string(), &opened.host_schema).await
}

/// Whether the component's relay is that of a host whose bus is its own.
async fn is_of_one(shared: &Arc<Shared>) -> Result<bool, StorageError> {
    let opened = shared.opened().await?;
    let lease = shared.server.connection(&shared.server.host_login(), None).await?;
    let scope = Scope::new(shared, &opened, lease.link()?, false);
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
               WHERE l.relation = '{}.hull_relay'::regclass AND l.granted \
               AND l.mode = 'ExclusiveLock' AND a.application_name = $1)";
    let row = scope.host_row(sql, &[(&APPLICATION_ALONE, Type::TEXT)]).await?;
    row.map_or(Ok(false), |row| column(&row, 0))
}

/// Tell whoever relays for the component that there may be something.
pub(super) async fn tell(scope: &Scope<'_>) -> Result<(), StorageError> {
    let component = scope.shared.component.to_string();
    scope.host("SELECT pg_notify($1, $2)", &[(&CHANNEL, Type::TEXT), (&component, Type::TEXT)]).await.map(drop)
}
