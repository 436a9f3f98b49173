//! `[storage.NAME]`: where the data of components is held.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::bulkhead::at_least_one;
use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, words};
use crate::server_url::SecretUrl;

const CONNECTIONS_DEFAULT: NonZeroU32 = at_least_one(32);
const CONNECT_WITHIN_DEFAULT: Duration = Duration::from_mins(1);
const CONNECT_WITHIN_MAX: Duration = Duration::from_hours(1);

/// Where the data of components is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// A file for each component below the state directory.
    Sqlite,
    /// A schema for each component.
    Postgres {
        /// The database, with a user that may make schemas and roles.
        url: SecretUrl,
        /// Connections of all components together.
        connections: NonZeroU32,
        /// For how long a server that cannot be reached is tried again when an app is brought up.
        connect_within: Duration,
    },
}

words! {
    /// The kind of a storage.
    pub(super) enum StorageBackend, "\"sqlite\" or \"postgres\"" {
        /// Files.
        Sqlite = "sqlite",
        /// A server.
        Postgres = "postgres",
    }
}

impl Setting for Storage {
    const WANTED: &'static str = "{ backend = \"sqlite\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let backend = table.or("backend", StorageBackend::Sqlite);
        if backend == StorageBackend::Sqlite {
            table.refuse("url", "SQLite has none", "remove it, or set backend = \"postgres\"");
            for key in ["connections", "connect-within"] {
                table.refuse(key, "SQLite has none", "remove it, or set backend = \"postgres\"");
            }
            table.finish();
            return Some(Self::Sqlite);
        }
        let wanted = "\"postgres://user:password@host/database\"";
        let url = table.required_item("url", wanted);
        let connections = table.or_within("connections", CONNECTIONS_DEFAULT, &(..=at_least_one(10_000)));
        let connect_within = table.or_within("connect-within", CONNECT_WITHIN_DEFAULT, &(..=CONNECT_WITHIN_MAX));
        table.finish();
        let url = url?;
        let parsed = SecretUrl::parse(url.text(wanted)?, &["postgres", "postgresql"], wanted);
        let url = parsed.map_err(|invalid| url.report.invalid(&url.span, &url.path, invalid)).ok()?;
        Some(Self::Postgres { url, connections, connect_within })
    }

    fn show(&self) -> Shown {
        match self {
            Self::Sqlite => {
                Shown::Section(vec![Entry::defaulted("backend", &StorageBackend::Sqlite, &StorageBackend::Sqlite)])
            }
            Self::Postgres { url, connections, connect_within } => Shown::Section(vec![
                Entry::new("backend", StorageBackend::Postgres.show()),
                Entry::new("url", Shown::Text(url.to_string())),
                Entry::defaulted("connections", connections, &CONNECTIONS_DEFAULT),
                Entry::defaulted("connect-within", connect_within, &CONNECT_WITHIN_DEFAULT),
            ]),
        }
    }
}
