//! `limits.transaction-time`: a unit that holds the writer for longer is ended wherever it is, and counted once.

use std::sync::Arc;
use std::time::Duration;

use hull_invocation::{CountRejected, Resource};
use hull_storage::StorageError;
use parking_lot::Mutex;

use crate::fixture::{Fixture, On, event, execute, on_both, until};

on_both! {
    a_unit_that_holds_the_writer_too_long_is_ended,
    a_unit_that_is_in_a_statement_is_ended_with_it,
    the_unit_of_an_event_is_counted_too_and_one_that_was_given_up_is_not,
    units_in_time_are_not_counted,
}

const ENDLESS: &str = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n FROM c) SELECT count(*) FROM c";

/// What was refused.
#[derive(Default)]
struct Counted(Mutex<Vec<Resource>>);

impl CountRejected for Counted {
    fn rejected(&self, resource: Resource) {
        self.0.lock().push(resource);
    }
}

impl Counted {
    /// How many units were ended; nothing else was refused.
    fn units(&self) -> usize {
        let counted = self.0.lock();
        assert!(counted.iter().all(|resource| *resource == Resource::TransactionTime), "{counted:?}");
        counted.len()
    }
}

/// A unit may hold the writer for a second.
fn counting(on: On) -> (Fixture, Arc<Counted>) {
    let counted = Arc::new(Counted::default());
    let fixture = Fixture::with_options(on, |options| {
        options.limits.transaction_time = Duration::from_secs(1);
        options.rejected = Some(Arc::clone(&counted) as Arc<dyn CountRejected>);
    });
    (fixture, counted)
}

async fn a_unit_that_holds_the_writer_too_long_is_ended(on: On) {
    let (fixture, counted) = counting(on);
    let slow = fixture.session();
    slow.begin().expect("begin");
    slow.set("slow".into(), Vec::new()).await.expect("set");
    let next = fixture.session();
    next.set("next".into(), Vec::new()).await.expect("the next one gets the writer, or never waited for it");
    until(async || slow.exists("slow".into()).await.is_err()).await;
    let late = slow.set("late".into(), Vec::new()).await;
    assert!(matches!(&late, Err(StorageError::Expired(text)) if text.contains("transaction-time")), "{late:?}");
    let again = slow.get("slow".into()).await;
    assert!(matches!(again, Err(StorageError::Expired(_))), "it stays ended until the guest has been told: {again:?}");
    assert!(matches!(slow.commit().await, Err(StorageError::Expired(_))));
    assert_eq!(slow.get("slow".into()).await, Ok(None), "after that the session goes on");
    assert_eq!(counted.units(), 1, "once, however often the guest hears of it");
}

async fn a_unit_that_is_in_a_statement_is_ended_with_it(on: On) {
    let (fixture, counted) = counting(on);
    fixture.schema("CREATE TABLE t (n INTEGER)").await;
    let session = fixture.session();
    for (number, statement) in [(1, ENDLESS.to_owned()), (2, format!("INSERT INTO t {ENDLESS}"))] {
        session.begin().expect("begin");
        session.set("k".into(), Vec::new()).await.expect("set");
        let ended = session.query(statement, Vec::new()).await;
        assert!(matches!(&ended, Err(StorageError::Timeout(text)) if text.contains("transaction-time")), "{ended:?}");
        let committed = session.commit().await;
        assert!(matches!(&committed, Err(StorageError::Expired(_))), "{committed:?}");
        assert_eq!(counted.units(), number);
        assert_eq!(session.get("k".into()).await, Ok(None), "nothing of it stays");
    }
}

async fn the_unit_of_an_event_is_counted_too_and_one_that_was_given_up_is_not(on: On) {
    let (fixture, counted) = counting(on);
    let given_up = fixture.session();
    given_up.begin().expect("begin");
    given_up.set("k".into(), Vec::new()).await.expect("set");
    drop(given_up);
    let handler = fixture.event_session(&event("e1"));
    handler.set("k".into(), Vec::new()).await.expect("set");
    assert_eq!(counted.units(), 0);
    until(async || handler.exists("k".into()).await.is_err()).await;
    let late = handler.finish_event().await;
    assert!(matches!(&late, Err(StorageError::Expired(text)) if text.contains("transaction-time")), "{late:?}");
    assert_eq!(counted.units(), 1);
}

async fn units_in_time_are_not_counted(on: On) {
    let counted = Arc::new(Counted::default());
    let fixture = Fixture::with_options(on, |options| options.rejected = Some(Arc::clone(&counted) as _));
    let session = fixture.session();
    session.begin().expect("begin");
    execute(&session, "CREATE TABLE t (n INTEGER)").await.expect("create");
    session.commit().await.expect("commit");
    assert_eq!(counted.units(), 0);
}
