//! Taking out all that an app has in a database: its components' schemas with everything in them, and their roles. Only
//! while no other host works with it, and in one transaction, so that it is either there or gone.

use std::sync::Arc;

use hull_invocation::ComponentId;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::failure;
use super::link::Link;
use super::names::{Names, literal, quoted};
use super::presence::elsewhere;
use super::provision::LOCK;
use super::server::{Lease, PostgresServer, Server};
use crate::error::StorageError;

/// For how long what was just closed may still be there.
const LOCK_TIME: &str = "SET LOCAL lock_timeout = '5s'";

/// An app that is out of the database once it is committed; dropping it leaves everything as it was. Meanwhile no host
/// begins to work with any component.
pub struct Purge(Option<Lease>);

impl PostgresServer {
    /// Whether another host works with data of the app in this database. One that has lost its connection is not seen.
    pub async fn is_used_elsewhere(&self, app: &str) -> Result<bool, StorageError> {
        let server = &self.inner;
        let lease = server.connection(&server.host_login(), None).await?;
        let link = lease.link()?;
        let schemas: Vec<String> =
            names(server, link, app).await?.into_iter().map(|names| names.1.host_schema).collect();
        if schemas.is_empty() {
            return Ok(false);
        }
        elsewhere(link, server.presence.pid().await, &schemas).await
    }

    /// This host does not work with an app any more: all its databases are closed.
    pub async fn leave(&self, app: &str) {
        self.inner.presence.leave(&self.inner, app).await;
    }

    /// Take out what the app has. This host must have closed its databases, and no other may have them open.
    pub async fn purge(&self, app: &str) -> Result<Purge, StorageError> {
        let server = &self.inner;
        let lease = server.connection(&server.host_login(), None).await?;
        let purge = Purge(Some(lease));
        purge.begin(server, app).await?;
        Ok(purge)
    }
}

impl Purge {
    /// It is gone.
    pub async fn commit(mut self) -> Result<(), StorageError> {
        let Some(lease) = self.0.take() else { return Ok(()) };
        run(lease.link()?, "COMMIT").await
    }

    async fn begin(&self, server: &Arc<Server>, app: &str) -> Result<(), StorageError> {
        let Some(lease) = &self.0 else { return Ok(()) };
        let link = lease.link()?;
        run(link, &format!("BEGIN; {LOCK_TIME}; {LOCK}")).await?;
        let components = names(server, link, app).await?;
        for (component, names) in &components {
            let lock = format!("LOCK TABLE {}.hull_relay IN ACCESS EXCLUSIVE MODE", quoted(&names.host_schema));
            match link.client().batch_execute(&lock).await {
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                    return Err(StorageError::Other(format!(
                        "another host works with the data of {component} in PostgreSQL: remove the app there first"
                    )));
                }
                // Somebody else has taken it out by hand.
                Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                    return Err(StorageError::Other(format!(
                        "the schema {} of {component} is not there, though hull.components has it: take that row out",
                        names.host_schema
                    )));
                }
                locked => failure::outcome(locked, link).await?,
            }
        }
        for (component, names) in &components {
            run(link, &dropped(component, names)).await?;
        }
        Ok(())
    }
}

impl Drop for Purge {
    fn drop(&mut self) {
        if let Some(Ok(link)) = self.0.as_ref().map(Lease::link) {
            link.send("ROLLBACK");
        }
    }
}

/// What is left of a guest that ran holds on to its tables; nobody hears of its end any more.
fn dropped(component: &str, names: &Names) -> String {
    let Names { guest, keeper, schema, host_schema } = names;
    let [guest_name, keeper_name, schema, host_schema] = [guest, keeper, schema, host_schema].map(|name| quoted(name));
    format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {};
         DROP SCHEMA IF EXISTS {schema} CASCADE;
         DROP SCHEMA IF EXISTS {host_schema} CASCADE;
         DROP OWNED BY {guest_name}, {keeper_name};
         DROP ROLE {guest_name}, {keeper_name};
         DELETE FROM hull.components WHERE component = {}",
        literal(guest),
        literal(component)
    )
}

/// The app's components in this database, and what theirs is called.
async fn names(server: &Server, link: &Link, app: &str) -> Result<Vec<(String, Names)>, StorageError> {
    let client = link.client();
    let found = async {
        let known = client.query_typed_one("SELECT to_regclass('hull.components') IS NOT NULL", &[]).await?;
        if !known.try_get::<_, bool>(0)? {
            return Ok(Vec::new());
        }
        let prefix = format!("{app}/");
        let sql = "SELECT component FROM hull.components WHERE starts_with(component, $1) ORDER BY component";
        let rows = client.query_typed(sql, &[(&prefix, Type::TEXT)]).await?;
        rows.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>()
    };
    let found: Vec<String> = failure::outcome(found.await, link).await?;
    let named = |component: String| {
        let name = component.strip_prefix(app)?.strip_prefix('/')?;
        let names = Names::of(&ComponentId::new(app, name), server.database());
        Some((component, names))
    };
    Ok(found.into_iter().filter_map(named).collect())
}

async fn run(link: &Link, sql: &str) -> Result<(), StorageError> {
    failure::outcome(link.client().batch_execute(sql).await, link).await
}
