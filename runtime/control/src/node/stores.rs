//! Where components keep their data: the storages of `hull.toml` by their names. Nothing is connected before a component
//! uses it.

use std::collections::BTreeMap;
use std::time::Duration;

use hull_manifest::{App, BusBackend, Component, Host, Name, Storage};
use hull_storage::{Database, DatabaseOptions, Dialect, PostgresServer, StorageError};

/// See the module.
pub(crate) struct Stores {
    host: Host,
    servers: BTreeMap<Name, PostgresServer>,
}

impl Stores {
    /// Of what the operator has set.
    pub(crate) fn of(host: &Host) -> Result<Self, StorageError> {
        let mut servers = BTreeMap::new();
        for (name, storage) in &host.storage {
            if let Storage::Postgres { url, connections, .. } = storage {
                let server = PostgresServer::new(url.expose(), connections.get() as usize)?;
                let is_alone = matches!(host.bus.backend, BusBackend::Embedded { .. });
                servers.insert(name.clone(), if is_alone { server.for_one_host() } else { server });
            }
        }
        Ok(Self { host: host.clone(), servers })
    }

    /// What a component's migrations are written in.
    pub(crate) fn dialect(&self, component: &Component) -> Dialect {
        dialect(&self.host, component)
    }

    /// The server that holds the component's data, if it is not a file.
    pub(crate) fn server(&self, component: &Component) -> Option<Name> {
        let name = &component.hull.storage;
        self.servers.contains_key(name).then(|| name.clone())
    }

    /// For how long the server of a component is tried again when its app is brought up.
    pub(crate) fn connect_within(&self, app: &App, component: &str) -> Duration {
        let storage = app.component(component).and_then(|component| self.host.storage.get(&component.hull.storage));
        match storage {
            Some(Storage::Postgres { connect_within, .. }) => *connect_within,
            Some(Storage::Sqlite) | None => Duration::ZERO,
        }
    }

    /// Every server.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&Name, &PostgresServer)> {
        self.servers.iter()
    }

    /// A component's database, in the storage that its manifest names.
    pub(crate) fn open(
        &self,
        component: &Component,
        directory: &hull_storage::ComponentDir,
        options: DatabaseOptions,
    ) -> Database {
        match self.servers.get(&component.hull.storage) {
            Some(server) => Database::on_postgres(server, options),
            None => Database::new(directory, options),
        }
    }
}

/// What a component's migrations are written in, by where the host keeps its data.
pub fn dialect(host: &Host, component: &Component) -> Dialect {
    match host.storage.get(&component.hull.storage) {
        Some(Storage::Postgres { .. }) => Dialect::Postgres,
        Some(Storage::Sqlite) | None => Dialect::Sqlite,
    }
}
