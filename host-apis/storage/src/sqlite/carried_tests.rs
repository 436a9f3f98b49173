//! Handlers that are carried by the writer: where they run, and what becomes of those that end badly.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use hull_invocation::{ComponentId, Event, EventKey, Lineage};
use tokio::sync::oneshot;

use crate::database::Database;
use crate::error::StorageError;
use crate::event::{EventIdentity, Finished};
use crate::options::DatabaseOptions;
use crate::session::{Session, SessionOptions};
use crate::state_dir::ComponentDir;

const WRITER: Option<&str> = Some("hull-storage");
const TIME: Duration = Duration::from_secs(30);
/// So long a unit may last where it is to be ended.
const SHORT: Duration = Duration::from_secs(1);

fn database(folder: &tempfile::TempDir) -> Database {
    let directory = ComponentDir::unowned(folder.path()).expect("a folder");
    let mut options = DatabaseOptions::new(ComponentId::new("shop", "orders"));
    options.limits.statement_time = TIME;
    options.limits.transaction_time = TIME;
    Database::new(&directory, options)
}

fn session(database: &Database, id: u32) -> Session {
    let event = Event {
        key: EventKey { source: "/shop/carts".to_owned(), id: id.to_string() },
        subject: "carts.paid".to_owned(),
        time: String::new(),
        headers: Vec::new(),
        payload: Bytes::new(),
    };
    database.session(SessionOptions {
        frame: Arc::clone(Lineage::root(ComponentId::new("shop", "orders")).frame()),
        deadline: hull_clock::now() + TIME,
        event: Some(EventIdentity::of(&event)),
        expects_reply: false,
    })
}

fn here() -> Option<String> {
    std::thread::current().name().map(str::to_owned)
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIME, work).await.expect("in time")
}

/// Until it is on the writer: the first time the writer may be faster than whoever began the unit is done with that.
async fn board(session: &Session) {
    for _ in 0..10_000 {
        if here().as_deref() == WRITER {
            return;
        }
        session.increment("looked".to_owned(), 1).await.expect("another statement");
    }
    panic!("it is never carried");
}

async fn total(database: &Database) -> i64 {
    let reader = database.session(SessionOptions {
        frame: Arc::clone(Lineage::root(ComponentId::new("shop", "orders")).frame()),
        deadline: hull_clock::now() + TIME,
        event: None,
        expects_reply: false,
    });
    let value = reader.get("n".to_owned()).await.expect("a read").unwrap_or_else(|| b"0".to_vec());
    String::from_utf8(value).expect("a text").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_are_carried_while_their_unit_has_the_writer_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&folder);
    let handlers = (0..200).map(|id| {
        let (session, ledger) = (session(&database, id), database.ledger());
        tokio::spawn(async move {
            let handling = async move {
                session.increment("n".to_owned(), 1).await.expect("the first statement");
                let second = here();
                tokio::task::yield_now().await;
                let before = session.increment("n".to_owned(), 1).await.expect("the second");
                assert_eq!(before % 2, 0, "nobody is in between");
                let finished = session.finish_event().await;
                (finished, second, here())
            };
            ledger.carry(handling).await
        })
    });
    let handlers: Vec<_> = handlers.collect();
    let mut carried = 0;
    for handler in handlers {
        let (finished, second, after) = within(handler).await.expect("no panic");
        assert_eq!(finished, Ok(Finished::Committed));
        carried += usize::from(second.as_deref() == WRITER);
        assert_ne!(after.as_deref(), WRITER, "after its unit it is where it is waited for");
    }
    assert!(carried >= 100, "{carried} of 200");
    assert_eq!(total(&database).await, 400);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_for_something_else_goes_on_when_that_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&folder);
    let (tell, told) = oneshot::channel();
    let (waits, waiting) = oneshot::channel();
    let session = session(&database, 1);
    let handling = async move {
        board(&session).await;
        waits.send(()).expect("the test waits");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(told.await, Ok(7));
        session.increment("n".to_owned(), 1).await.expect("a statement");
        session.finish_event().await
    };
    let ledger = database.ledger();
    let handler = tokio::spawn(async move { ledger.carry(handling).await });
    within(waiting).await.expect("it is there");
    tell.send(7).expect("it waits");
    assert_eq!(within(handler).await.expect("no panic"), Ok(Finished::Committed));
    assert_eq!(total(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_nobody_waits_for_any_more_is_undone_and_holds_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&folder);
    let (waits, waiting) = oneshot::channel();
    let (dropped, is_dropped) = oneshot::channel::<()>();
    let left = session(&database, 1);
    let handling = async move {
        let _dropped = dropped;
        left.increment("n".to_owned(), 1).await.expect("a statement");
        board(&left).await;
        waits.send(()).expect("the test waits");
        std::future::pending::<()>().await;
    };
    let ledger = database.ledger();
    let handler = tokio::spawn(async move { ledger.carry(handling).await });
    within(waiting).await.expect("it is there");
    handler.abort();
    within(is_dropped).await.expect_err("it is dropped");
    let next = session(&database, 2);
    assert_eq!(within(next.increment("n".to_owned(), 1)).await, Ok(1), "nothing of it is left");
    assert_eq!(within(next.finish_event()).await, Ok(Finished::Committed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_that_of_whoever_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&folder);
    let panics = session(&database, 1);
    let handling = async move {
        panics.increment("n".to_owned(), 1).await.expect("a statement");
        board(&panics).await;
        panic!("of the handler");
    };
    let panicked = within(AssertUnwindSafe(database.ledger().carry(handling)).catch_unwind()).await;
    let panic = panicked.expect_err("it panics here");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the handler"));
    let next = session(&database, 2);
    assert_eq!(within(next.increment("n".to_owned(), 1)).await, Ok(1), "the writer goes on, without what it did");
    assert_eq!(within(next.finish_event()).await, Ok(Finished::Committed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_keeps_the_writer_too_long_is_ended_and_hears_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&folder);
    let mut limits = database.limits();
    limits.transaction_time = SHORT;
    database.set_limits(limits);
    let late = session(&database, 1);
    let handling = async move {
        late.increment("n".to_owned(), 1).await.expect("a statement");
        board(&late).await;
        tokio::time::sleep(SHORT * 2).await;
        late.finish_event().await
    };
    let ended = within(database.ledger().carry(handling)).await;
    assert!(matches!(ended, Err(StorageError::Expired(_))), "{ended:?}");
    assert_eq!(total(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_rests_does_not_keep_the_writer_for_longer_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database(&folder);
    let mut limits = database.limits();
    limits.transaction_time = SHORT;
    database.set_limits(limits);
    let served = Arc::new(AtomicBool::new(false));
    let (restless, seen) = (session(&database, 1), Arc::clone(&served));
    let (waits, waiting) = oneshot::channel();
    let handling = async move {
        restless.increment("n".to_owned(), 1).await.expect("a statement");
        board(&restless).await;
        waits.send(()).expect("the test waits");
        while !seen.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        restless.finish_event().await
    };
    let ledger = database.ledger();
    let handler = tokio::spawn(async move { ledger.carry(handling).await });
    within(waiting).await.expect("it is there");
    let next = session(&database, 2);
    assert_eq!(within(next.increment("n".to_owned(), 1)).await, Ok(1), "nothing of the other is left");
    assert_eq!(within(next.finish_event()).await, Ok(Finished::Committed));
    served.store(true, Ordering::Release);
    let ended = within(handler).await.expect("no panic");
    assert!(matches!(ended, Err(StorageError::Expired(_))), "{ended:?}");
}
