//! Event handlers: once per key, with everything they did or with nothing.

use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use hull_storage::{DeadLetter, DeadLetterFilter, DeadLetterKind, EventIdentity, EventState, Finished, StorageError};

use crate::fixture::{Fixture, On, event, execute, on_both, outgoing, until};

on_both! {
    writes_publishes_and_the_mark_come_together,
    a_handler_that_is_given_up_lets_go_of_the_writer_at_once,
    giving_up_after_the_end_changes_nothing,
    of_two_deliveries_at_once_one_counts,
    a_handler_that_stores_nothing_is_marked_too,
    a_key_with_other_content_is_an_error,
    attempts_count_until_the_event_is_handled_or_dead,
    a_nul_in_a_reason_keeps_no_letter_from_being_written,
    a_commit_that_fails_says_whether_the_guest_is_to_blame,
    what_is_handled_neither_fails_nor_dies_afterwards,
    dead_letters_can_be_found_replayed_and_deleted,
    old_marks_go_and_young_ones_stay,
}

async fn writes_publishes_and_the_mark_come_together(on: On) {
    let fixture = Fixture::new(on);
    let event = event("e1");
    let identity = EventIdentity::of(&event);
    let ledger = fixture.database.ledger();
    assert_eq!(ledger.state(&identity).await, Ok(EventState::default()));
    let session = fixture.event_session(&event);
    assert_eq!(session.begin(), Err(StorageError::AlreadyOpen));
    session.set("k".into(), b"v".to_vec()).await.expect("set");
    session.publish(outgoing("o1")).await.expect("inside a unit nobody waits for the bus");
    assert!(matches!(session.commit().await, Err(StorageError::Denied(_))));
    assert!(matches!(session.rollback().await, Err(StorageError::Denied(_))));
    assert_eq!(fixture.database.outbox().next(10, 0).await.expect("rows"), []);
    assert_eq!(session.finish_event().await, Ok(Finished::Committed));
    assert_eq!(fixture.session().get("k".into()).await, Ok(Some(b"v".to_vec())));
    assert_eq!(fixture.database.outbox().next(10, 0).await.expect("rows").len(), 1);
    assert_eq!(ledger.state(&identity).await.expect("state").handled, Some(identity.content_hash));
    assert!(matches!(session.set("late".into(), Vec::new()).await, Err(StorageError::Expired(_))));
    assert!(matches!(session.finish_event().await, Err(StorageError::Expired(_))));
}

async fn a_handler_that_is_given_up_lets_go_of_the_writer_at_once(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.transaction_time = Duration::from_mins(1));
    let handler = fixture.event_session(&event("e1"));
    handler.set("undone".into(), b"v".to_vec()).await.expect("set");
    // Somebody keeps the session, as an instance does that waits for its next invocation.
    let kept = handler.clone();
    // And a call that nobody polls any more, as of a guest that was stopped in the middle of it.
    let stopped = kept.get("undone".into());
    let mut stopped = std::pin::pin!(stopped);
    // The writer may even have answered already: then nobody takes the answer.
    let _ = stopped.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    handler.abandon();
    handler.abandon();
    let write = fixture.session();
    let writing = write.set("other".into(), Vec::new());
    tokio::time::timeout(Duration::from_secs(20), writing).await.expect("long before the unit's time").expect("set");
    assert_eq!(fixture.session().exists("undone".into()).await, Ok(false));
    assert!(matches!(kept.set("late".into(), Vec::new()).await, Err(StorageError::Expired(_))));
    assert!(matches!(kept.finish_event().await, Err(StorageError::Expired(_))));
    let state = fixture.database.ledger().state(&EventIdentity::of(&event("e1"))).await;
    assert_eq!(state, Ok(EventState::default()), "nothing of it is marked");
}

async fn giving_up_after_the_end_changes_nothing(on: On) {
    let fixture = Fixture::new(on);
    let handler = fixture.event_session(&event("e1"));
    handler.set("kept".into(), Vec::new()).await.expect("set");
    assert_eq!(handler.finish_event().await, Ok(Finished::Committed));
    handler.abandon();
    assert_eq!(fixture.session().exists("kept".into()).await, Ok(true));
}

async fn of_two_deliveries_at_once_one_counts(on: On) {
    let fixture = Fixture::new(on);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let session = fixture.event_session(&event("e1"));
            tokio::spawn(async move {
                let ran = session.increment("runs".into(), 1).await;
                match session.finish_event().await {
                    // Another one got there first: it is handled again, and then it has been.
                    Err(StorageError::Conflict) if on == On::Postgres => Finished::AlreadyHandled,
                    finished => ran.and(finished).expect("finish"),
                }
            })
        })
        .collect();
    let mut committed = 0;
    for task in tasks {
        committed += usize::from(task.await.expect("a task") == Finished::Committed);
    }
    assert_eq!(committed, 1);
    assert_eq!(fixture.session().get("runs".into()).await, Ok(Some(b"1".to_vec())));
}

async fn a_handler_that_stores_nothing_is_marked_too(on: On) {
    let fixture = Fixture::new(on);
    assert_eq!(fixture.event_session(&event("e1")).finish_event().await, Ok(Finished::Committed));
    assert_eq!(fixture.event_session(&event("e1")).finish_event().await, Ok(Finished::AlreadyHandled));
    assert_eq!(fixture.session().finish_event().await, Err(StorageError::NotOpen));
}

async fn a_key_with_other_content_is_an_error(on: On) {
    let fixture = Fixture::new(on);
    fixture.event_session(&event("e1")).finish_event().await.expect("finish");
    let mut other = event("e1");
    other.payload = Bytes::from_static(b"other");
    let session = fixture.event_session(&other);
    session.set("k".into(), Vec::new()).await.expect("set");
    assert!(matches!(session.finish_event().await, Err(StorageError::IdReused { .. })));
    assert_eq!(fixture.session().exists("k".into()).await, Ok(false));
    let mut traced = event("e1");
    traced.headers.push(("traceparent".into(), "another".into()));
    assert_eq!(EventIdentity::of(&traced), EventIdentity::of(&event("e1")), "a trace is not content");
}

async fn attempts_count_until_the_event_is_handled_or_dead(on: On) {
    let fixture = Fixture::new(on);
    let ledger = fixture.database.ledger();
    let (one, two) = (event("e1"), event("e2"));
    assert_eq!(ledger.record_failure(&EventIdentity::of(&one), "first").await, Ok(Some(1)));
    assert_eq!(ledger.record_failure(&EventIdentity::of(&one), "second").await, Ok(Some(2)));
    assert_eq!(ledger.record_failure(&EventIdentity::of(&two), "first").await, Ok(Some(1)));
    fixture.event_session(&one).finish_event().await.expect("finish");
    let state = ledger.state(&EventIdentity::of(&one)).await.expect("state");
    assert_eq!(state.attempts, 0);
    ledger.bury(dead(&two, "no such order")).await.expect("bury");
    let state = ledger.state(&EventIdentity::of(&two)).await.expect("state");
    assert_eq!((state.attempts, state.dead_letter.is_some(), state.handled), (0, true, None));
}

async fn a_nul_in_a_reason_keeps_no_letter_from_being_written(on: On) {
    let fixture = Fixture::new(on);
    let ledger = fixture.database.ledger();
    let (one, identity) = (event("e1"), EventIdentity::of(&event("e1")));
    assert_eq!(ledger.record_failure(&identity, "no\0 good").await, Ok(Some(1)));
    let id = ledger.bury(dead(&one, "rejected: \0")).await.expect("bury").expect("a letter");
    let letter = ledger.dead_letter(id).await.expect("a look").expect("it is there").letter;
    assert_eq!(letter.reason, "rejected: \u{fffd}");
    let filter = DeadLetterFilter { reason: Some("\0".to_owned()), ..DeadLetterFilter::default() };
    assert_eq!(ledger.dead_letters(&filter, i64::MIN, 10).await.expect("a list").len(), 1, "as it was written");
}

async fn a_commit_that_fails_says_whether_the_guest_is_to_blame(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.transaction_time = Duration::from_secs(1));
    fixture
        .schema(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await;
    let orphan = fixture.event_session(&event("orphan"));
    execute(&orphan, "INSERT INTO child VALUES (7)").await.expect("not checked yet");
    let failed = orphan.finish_event().await.expect_err("checked now");
    assert!(matches!(failed, StorageError::Constraint { .. }) && failed.is_by_guest(), "{failed:?}");
    let slow = fixture.event_session(&event("slow"));
    slow.set("k".into(), Vec::new()).await.expect("set");
    until(async || slow.exists("k".into()).await.is_err()).await;
    let failed = slow.finish_event().await.expect_err("it held the writer for too long");
    assert!(matches!(failed, StorageError::Expired(_)) && failed.is_by_guest(), "{failed:?}");
    let closed = fixture.event_session(&event("closed"));
    closed.set("k".into(), Vec::new()).await.expect("set");
    closed.abandon();
    let waiting = fixture.event_session(&event("closed"));
    fixture.database.close().await;
    let failed = waiting.finish_event().await.expect_err("the database is closed");
    assert!(matches!(failed, StorageError::Closed(_)) && !failed.is_by_guest(), "{failed:?}");
}

async fn what_is_handled_neither_fails_nor_dies_afterwards(on: On) {
    let fixture = Fixture::new(on);
    let ledger = fixture.database.ledger();
    let (one, identity) = (event("e1"), EventIdentity::of(&event("e1")));
    fixture.event_session(&one).finish_event().await.expect("finish");
    assert_eq!(ledger.record_failure(&identity, "nobody heard of the commit").await, Ok(None));
    assert_eq!(ledger.bury(dead(&one, "nobody heard of the commit")).await, Ok(None));
    let state = ledger.state(&identity).await.expect("state");
    assert_eq!((state.attempts, state.dead_letter, state.handled), (0, None, Some(identity.content_hash)));
    let other = hull_invocation::Event { payload: Bytes::from_static(b"other"), ..one.clone() };
    assert!(matches!(ledger.bury(dead(&other, "its id was used")).await, Ok(Some(_))), "that is another event");
    let outgoing = DeadLetter { kind: DeadLetterKind::Outgoing, ..dead(&one, "may not go out") };
    assert!(matches!(ledger.bury(outgoing).await, Ok(Some(_))), "handled by oneself is not published");
}

async fn dead_letters_can_be_found_replayed_and_deleted(on: On) {
    let fixture = Fixture::new(on);
    let ledger = fixture.database.ledger();
    for number in 0..5 {
        let reason = if number % 2 == 0 { "no such order" } else { "timeout" };
        ledger.bury(dead(&event(&format!("e{number}")), reason)).await.expect("bury");
    }
    let filter = DeadLetterFilter { reason: Some("order".into()), ..DeadLetterFilter::default() };
    let page = ledger.dead_letters(&filter, 0, 2).await.expect("list");
    assert_eq!(page.iter().map(|stored| stored.letter.event.key.id.as_str()).collect::<Vec<_>>(), ["e0", "e2"]);
    let rest = ledger.dead_letters(&filter, page[1].id, 2).await.expect("list");
    assert_eq!(rest.len(), 1);
    let none = DeadLetterFilter { subject: Some("other".into()), ..DeadLetterFilter::default() };
    assert_eq!(ledger.dead_letters(&none, 0, 10).await.expect("list"), []);

    let stored = ledger.dead_letter(page[0].id).await.expect("get").expect("is there");
    assert_eq!(stored.letter.event, event("e0"));
    assert_eq!(ledger.bury(dead(&event("e0"), "failed again")).await, Ok(Some(stored.id)), "it keeps its id");
    let replay = fixture.event_session(&stored.letter.event);
    replay.increment("replayed".into(), 1).await.expect("increment");
    assert_eq!(replay.finish_event().await, Ok(Finished::Committed));
    assert_eq!(ledger.dead_letter(stored.id).await, Ok(None), "handled is not dead");
    assert_eq!(fixture.event_session(&stored.letter.event).finish_event().await, Ok(Finished::AlreadyHandled));

    assert_eq!(ledger.delete_dead_letter(page[1].id).await, Ok(true));
    assert_eq!(ledger.delete_dead_letter(page[1].id).await, Ok(false));
    assert_eq!(fixture.database.statistics().await.expect("statistics").dead_letters, 3);
}

async fn old_marks_go_and_young_ones_stay(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.batch_wait_max = std::time::Duration::from_secs(1));
    let ledger = fixture.database.ledger();
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let session = fixture.event_session(&event(&format!("e{number}")));
            tokio::spawn(async move { session.finish_event().await.expect("finish") })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    ledger.record_failure(&EventIdentity::of(&event("failed")), "x").await.expect("record");
    assert_eq!(ledger.prune(hull_clock::unix_ms() - 60_000).await, Ok(0));
    assert_eq!(ledger.prune(hull_clock::unix_ms() + 60_000).await, Ok(50));
    assert_eq!(ledger.state(&EventIdentity::of(&event("e7"))).await, Ok(EventState::default()));
    let again = ledger.record_failure(&EventIdentity::of(&event("failed")), "x").await;
    assert_eq!(again, Ok(Some(1)), "attempts are forgotten too");
}

fn dead(event: &hull_invocation::Event, reason: &str) -> DeadLetter {
    DeadLetter {
        kind: DeadLetterKind::Incoming,
        event: event.clone(),
        reason: reason.to_owned(),
        attempts: 5,
        died_at_ms: 1,
    }
}
