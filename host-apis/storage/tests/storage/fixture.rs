//! A database in a folder of its own, and sessions on it.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hull_invocation::{ComponentId, Event, EventKey, Lineage};
use hull_storage::{
    ComponentDir, Database, DatabaseOptions, EventIdentity, Migration, OutgoingEvent, PostgresServer, Session,
    SessionOptions, StorageError, StorageLimits, Value,
};
use tempfile::TempDir;

use crate::postgres;

/// The backend that a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

/// Tests that hold on both backends, each run on each.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::fixture::On::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::fixture::On::Postgres).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// One server for all tests; each has a database of its own.
static SERVER: LazyLock<postgres::Server> = LazyLock::new(postgres::Server::start);
static DATABASES: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    /// What another host would open it with.
    url: Option<String>,
}

impl Fixture {
    pub(crate) fn new(on: On) -> Self {
        Self::with_limits(on, |_| {})
    }

    pub(crate) fn with_limits(on: On, change: impl FnOnce(&mut StorageLimits)) -> Self {
        Self::with_options(on, |options| change(&mut options.limits))
    }

    pub(crate) fn with_options(on: On, change: impl FnOnce(&mut DatabaseOptions)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        match on {
            On::Sqlite => {
                let database = open(folder.path(), change);
                Self { folder, database, url: None }
            }
            On::Postgres => {
                let url = postgres_url();
                let database = open_postgres(&url, change);
                Self { folder, database, url: Some(url) }
            }
        }
    }

    /// Where its PostgreSQL database is.
    pub(crate) fn url(&self) -> &str {
        self.url.as_deref().expect("a database on a server")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.database.file().expect("a database in a file")
    }

    /// Outside a unit, with a generous deadline.
    pub(crate) fn session(&self) -> Session {
        session(&self.database, None, Duration::from_secs(30))
    }

    pub(crate) fn event_session(&self, event: &Event) -> Session {
        session(&self.database, Some(EventIdentity::of(event)), Duration::from_secs(30))
    }

    /// Run schema statements as the component's only migration.
    pub(crate) async fn schema(&self, sql: &str) {
        self.database.migrate(&[migration(1, sql)]).await.expect("the schema");
    }

    /// Until so many units wait for the writer.
    pub(crate) async fn waiting(&self, units: usize) {
        until(async || self.database.statistics().await.expect("statistics").units_waiting >= units).await;
    }

    pub(crate) async fn commits(&self) -> u64 {
        self.database.statistics().await.expect("statistics").commits
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        number(&self.session(), sql).await
    }
}

/// A database of its own on the server of all tests.
pub(crate) fn postgres_url() -> String {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    SERVER.database(&format!("test{number}"))
}

/// Run SQL as the server's superuser in the database of a URL.
pub(crate) fn as_superuser(url: &str, sql: &str) -> String {
    let (_, database) = url.rsplit_once('/').expect("a URL with a database");
    SERVER.sql(database, sql)
}

/// A host's handle.
pub(crate) fn open_postgres(url: &str, change: impl FnOnce(&mut DatabaseOptions)) -> Database {
    let server = PostgresServer::new(url, 16).expect("a URL");
    let mut options = options(component());
    change(&mut options);
    Database::on_postgres(&server, options)
}

pub(crate) fn open(folder: &Path, change: impl FnOnce(&mut DatabaseOptions)) -> Database {
    let directory = ComponentDir::unowned(folder).expect("a folder");
    let mut options = options(component());
    change(&mut options);
    Database::new(&directory, options)
}

/// With times that nothing meets unless a test makes them short.
pub(crate) fn options(component: ComponentId) -> DatabaseOptions {
    let mut options = DatabaseOptions::new(component);
    options.limits.statement_time = Duration::from_secs(30);
    options.limits.transaction_time = Duration::from_secs(30);
    options
}

pub(crate) fn session(database: &Database, event: Option<EventIdentity>, time: Duration) -> Session {
    let frame = Lineage::root(component()).frame().clone();
    database.session(SessionOptions { frame, deadline: hull_clock::now() + time, event, expects_reply: false })
}

pub(crate) fn component() -> ComponentId {
    ComponentId::new("shop", "orders")
}

pub(crate) fn migration(number: u32, sql: &str) -> Migration {
    Migration { number, name: format!("step{number}"), sql: sql.to_owned() }
}

pub(crate) fn event(id: &str) -> Event {
    Event {
        key: EventKey { source: "/shop/carts".to_owned(), id: id.to_owned() },
        subject: "carts.paid".to_owned(),
        time: "2024-01-01T00:00:00.000Z".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        payload: Bytes::from_static(b"{}"),
    }
}

pub(crate) fn outgoing(id: &str) -> OutgoingEvent {
    OutgoingEvent {
        id: id.to_owned(),
        subject: "orders.created".to_owned(),
        time: "2024-01-01T00:00:00.000Z".to_owned(),
        headers: vec![("x-correlation-id".to_owned(), "c1".to_owned())],
        payload: Bytes::from_static(b"{\"total\":1}"),
        deliver_at_ms: None,
    }
}

pub(crate) async fn execute(session: &Session, sql: &str) -> Result<u64, StorageError> {
    session.execute(sql.to_owned(), Vec::new()).await
}

/// The one number of a result of one row.
pub(crate) async fn number(session: &Session, sql: &str) -> i64 {
    let result = session.query(sql.to_owned(), Vec::new()).await.expect("a result");
    match result.rows.as_slice() {
        [row] => match row.as_slice() {
            [Value::Integer(number)] => *number,
            other => panic!("not a number: {other:?}"),
        },
        other => panic!("not one row: {other:?}"),
    }
}

/// A value of each type.
pub(crate) fn one_of_each_type() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Boolean(true),
        Value::Integer(i64::MIN),
        Value::Real(0.5),
        Value::Text("ä\n'\"".into()),
        Value::Blob(vec![0, 255]),
    ]
}

/// Until the condition holds, which it must do within half a minute.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the condition holds in the end");
}
