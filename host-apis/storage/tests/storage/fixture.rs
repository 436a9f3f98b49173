//! A database in a folder of its own, and sessions on it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hull_invocation::{ComponentId, Event, EventKey, Lineage};
use hull_storage::{
    ComponentDir, Database, DatabaseOptions, EventIdentity, Migration, OutgoingEvent, Session, SessionOptions,
    StorageError, StorageLimits, Value,
};
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with_limits(|_| {})
    }

    pub(crate) fn with_limits(change: impl FnOnce(&mut StorageLimits)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut limits = StorageLimits::default();
        change(&mut limits);
        let database = open(folder.path(), limits);
        Self { folder, database }
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

pub(crate) fn open(folder: &Path, limits: StorageLimits) -> Database {
    open_with(folder, DatabaseOptions { limits, ..DatabaseOptions::new(component()) })
}

pub(crate) fn open_with(folder: &Path, options: DatabaseOptions) -> Database {
    let directory = ComponentDir::unowned(folder).expect("a folder");
    Database::new(&directory, options)
}

pub(crate) fn session(database: &Database, event: Option<EventIdentity>, time: Duration) -> Session {
    let frame = Lineage::root(component()).frame().clone();
    database.session(SessionOptions { frame, deadline: hull_clock::now() + time, event })
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

/// Until the condition holds, which it must do within half a minute.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the condition holds in the end");
}
