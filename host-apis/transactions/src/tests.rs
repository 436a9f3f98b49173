//! The interface as a guest meets it, on a real database.

use std::time::Duration;

use hull_invocation::{ComponentId, Lineage};
use hull_storage::{ComponentDir, Database, DatabaseOptions, Session, SessionOptions};
use tempfile::TempDir;
use wasmtime::component::{Linker, ResourceTable};

use crate::bindings::hull::transactions::transactions::{Error, HostTransaction as _};
use crate::{TransactionsCtx, TransactionsView, add_to_linker};

struct Guest {
    _folder: TempDir,
    database: Database,
    session: Session,
    ctx: TransactionsCtx,
    table: ResourceTable,
}

impl Guest {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let mut options = DatabaseOptions::new(component());
        options.limits.statement_time = Duration::from_secs(30);
        options.limits.transaction_time = Duration::from_secs(30);
        let database = Database::new(&directory, options);
        let session = session(&database);
        let ctx = TransactionsCtx::new(component(), Some(session.clone()));
        Self { _folder: folder, database, session, ctx, table: ResourceTable::new() }
    }

    fn view(&mut self) -> TransactionsView<'_> {
        TransactionsView { ctx: &mut self.ctx, table: &mut self.table }
    }

    /// What another invocation sees.
    async fn sees(&self, key: &str) -> bool {
        session(&self.database).exists(key.into()).await.expect("exists")
    }
}

fn component() -> ComponentId {
    ComponentId::new("shop", "orders")
}

fn session(database: &Database) -> Session {
    let frame = Lineage::root(component()).frame().clone();
    let deadline = hull_clock::now() + Duration::from_secs(30);
    database.session(SessionOptions { frame, deadline, event: None, expects_reply: false })
}

#[test]
fn the_interface_can_be_linked() {
    let mut linker: Linker<Guest> = Linker::new(&wasmtime::Engine::default());
    add_to_linker(&mut linker, Guest::view).expect("link");
}

#[tokio::test]
async fn without_a_database_the_error_names_the_line() {
    let mut guest = Guest::new();
    guest.ctx = TransactionsCtx::new(component(), None);
    match guest.view().begin().await.expect("no trap") {
        Err(Error::Other(text)) => assert!(text.contains("[component.orders]"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn commit_keeps_and_rollback_undoes() {
    let mut guest = Guest::new();
    let transaction = guest.view().begin().await.expect("no trap").expect("begin");
    assert!(matches!(guest.view().begin().await, Ok(Err(Error::AlreadyOpen))));
    guest.session.set("kept".into(), Vec::new()).await.expect("set");
    assert!(!guest.sees("kept").await);
    guest.view().commit(transaction).await.expect("no trap").expect("commit");
    assert!(guest.sees("kept").await);
    let transaction = guest.view().begin().await.expect("no trap").expect("begin");
    guest.session.set("undone".into(), Vec::new()).await.expect("set");
    guest.view().rollback(transaction).await.expect("no trap").expect("rollback");
    assert!(!guest.sees("undone").await);
}

#[tokio::test]
async fn a_dropped_handle_rolls_back() {
    let mut guest = Guest::new();
    let transaction = guest.view().begin().await.expect("no trap").expect("begin");
    guest.session.set("undone".into(), Vec::new()).await.expect("set");
    guest.view().drop(transaction).await.expect("no trap");
    guest.session.set("kept".into(), Vec::new()).await.expect("set");
    assert!(guest.sees("kept").await && !guest.sees("undone").await);
}

#[tokio::test]
async fn a_handle_from_an_earlier_invocation_does_nothing_to_this_one() {
    let mut guest = Guest::new();
    let [dropped, committed] = {
        let first = guest.view().begin().await.expect("no trap").expect("begin");
        guest.session.abandon();
        [first, guest.view().begin().await.expect("no trap").expect("begin")]
    };
    guest.session = session(&guest.database);
    guest.ctx = TransactionsCtx::new(component(), Some(guest.session.clone()));
    let present = guest.view().begin().await.expect("no trap").expect("begin");
    guest.session.set("kept".into(), Vec::new()).await.expect("set");
    guest.view().drop(dropped).await.expect("no trap");
    assert!(matches!(guest.view().commit(committed).await, Ok(Err(Error::Expired(_)))));
    guest.view().commit(present).await.expect("no trap").expect("commit");
    assert!(guest.sees("kept").await);
}

#[tokio::test]
async fn too_many_handles_are_an_error_and_leave_no_unit_open() {
    let mut guest = Guest::new();
    guest.table.set_max_capacity(0);
    assert!(matches!(guest.view().begin().await, Ok(Err(Error::Other(_)))));
    assert!(!guest.session.is_unit_open());
}
