//! Which components this host works with, as the others can see: whoever takes an app out for good must not take it from
//! under another host. It is a lock on a table of the host's that goes with any other but the one that dropping the table
//! needs, in a transaction that is open for as long as the host has them open; one that is gone gives it up with its
//! connection.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_postgres::types::Type;

use super::failure;
use super::link::Link;
use super::server::Server;
use crate::error::StorageError;

/// The components that this host is known to work with in one database.
#[derive(Default)]
pub(super) struct Presence(Mutex<Option<Present>>);

struct Present {
    link: Link,
    /// Of the connection, on the server.
    pid: i32,
    /// Each component's host's schema, as it stands in a statement.
    components: HashMap<String, String>,
}

impl Presence {
    /// From now on this host works with that component. Costs nothing once it is known.
    pub(super) async fn attend(
        &self,
        server: &Arc<Server>,
        component: &str,
        host_schema: &str,
    ) -> Result<(), StorageError> {
        let mut present = self.0.lock().await;
        let present = match &mut *present {
            Some(present) if present.link.is_usable() => present,
            // The others are told again when they look for their relays.
            none => {
                *none = None;
                none.insert(Present::begin(server).await?)
            }
        };
        if !present.components.contains_key(component) {
            present.lock(component, host_schema).await?;
        }
        Ok(())
    }

    /// This host does not work with an app any more; with the others at every moment.
    pub(super) async fn leave(&self, server: &Arc<Server>, app: &str) {
        let mut present = self.0.lock().await;
        let Some(before) = present.take() else { return };
        let is_its = |component: &str| component.strip_prefix(app).is_some_and(|rest| rest.starts_with('/'));
        if !before.components.keys().any(|component| is_its(component)) {
            *present = Some(before);
            return;
        }
        let others: Vec<_> = before.components.iter().filter(|(component, _)| !is_its(component)).collect();
        if !before.link.is_usable() {
            return;
        }
        if !others.is_empty() {
            // They are told again when they look for their relays.
            let failed = |error: &StorageError| {
                tracing::warn!(%error, app, "other hosts may not see for a moment what this one works with");
            };
            *present = Present::with(server, others).await.inspect_err(failed).ok();
        }
        drop(present);
        // The server ends a closed connection a moment later, and until then what it holds looks like another host's. One that
        // is lost gives it up by itself.
        let _ = before.link.end("ROLLBACK").await;
    }

    /// The connection that says so; none while there is none.
    pub(super) async fn pid(&self) -> Option<i32> {
        let present = self.0.lock().await;
        present.as_ref().filter(|present| present.link.is_usable()).map(|present| present.pid)
    }
}

impl Present {
    async fn begin(server: &Arc<Server>) -> Result<Self, StorageError> {
        let link = server.relay_link(|_| {}).await?;
        let pid = link.client().query_typed_one("SELECT pg_backend_pid()", &[]).await;
        let pid = failure::outcome(pid.and_then(|row| row.try_get(0)), &link).await?;
        link.send("BEGIN");
        Ok(Self { link, pid, components: HashMap::new() })
    }

    /// With these components.
    async fn with(server: &Arc<Server>, components: Vec<(&String, &String)>) -> Result<Self, StorageError> {
        let mut present = Self::begin(server).await?;
        for (component, host_schema) in components {
            present.lock(component, host_schema).await?;
        }
        Ok(present)
    }

    async fn lock(&mut self, component: &str, host_schema: &str) -> Result<(), StorageError> {
        let lock = format!("LOCK TABLE {host_schema}.hull_relay IN ACCESS SHARE MODE");
        let locked = self.link.client().batch_execute(&lock).await;
        if locked.is_err() {
            // The transaction is over, and so is what it held.
            self.link.break_off();
        }
        failure::outcome(locked, &self.link).await?;
        self.components.insert(component.to_owned(), host_schema.to_owned());
        Ok(())
    }
}

/// Whether a host works with one of these schemas that is not this one.
pub(super) async fn elsewhere(link: &Link, own: Option<i32>, host_schemas: &[String]) -> Result<bool, StorageError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class t ON t.oid = l.relation \
               JOIN pg_namespace n ON n.oid = t.relnamespace \
               WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
               AND t.relname = 'hull_relay' AND n.nspname = ANY ($1) AND l.granted \
               AND l.mode = 'AccessShareLock' AND l.pid <> $2)";
    let own = own.unwrap_or(0);
    let found = link.client().query_typed_one(sql, &[(&host_schemas, Type::TEXT_ARRAY), (&own, Type::INT4)]).await;
    failure::outcome(found.and_then(|row| row.try_get(0)), link).await
}
