//! The quota: all of the file is within it, guests stop before its end, and what they leave is enough to finish.

use std::time::Duration;

use hull_storage::{DeadLetter, DeadLetterKind, Finished, OutgoingEvent, StorageError, Value};

use crate::fixture::{Fixture, On, component, event, execute, outgoing};

/// Of which guests have three quarters, and events an eighth more.
fn of_a_mebibyte() -> Fixture {
    Fixture::with_limits(On::Sqlite, |limits| limits.storage_bytes = 1 << 20)
}

fn full() -> StorageError {
    StorageError::QuotaExceeded { component: component().to_string(), limit_bytes: 1 << 20 }
}

/// Write until it is refused; how often it worked.
async fn fill(fixture: &Fixture) -> usize {
    let session = fixture.session();
    for stored in 0..100 {
        if let Err(error) = session.set(format!("k{stored}"), vec![7; 20_000]).await {
            assert_eq!(error, full());
            return stored;
        }
    }
    panic!("never full")
}

/// Publish for a day that nobody will see, until it is refused; how often it worked.
async fn fill_outbox(fixture: &Fixture) -> usize {
    let session = fixture.session();
    for number in 0..100 {
        let later = OutgoingEvent {
            payload: vec![7; 20_000].into(),
            deliver_at_ms: Some(4_102_444_800_000),
            ..outgoing(&format!("o{number}"))
        };
        if let Err(error) = session.publish(later).await {
            assert_eq!(error, full());
            return number;
        }
    }
    panic!("never full")
}

async fn bytes_used(fixture: &Fixture) -> u64 {
    fixture.database.statistics().await.expect("statistics").bytes_used
}

/// Handle so many events; each writes nothing but its mark.
async fn handle(fixture: &Fixture, events: usize) {
    for number in 0..events {
        let handler = fixture.event_session(&event(&format!("e{number}")));
        assert_eq!(handler.finish_event().await, Ok(Finished::Committed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_component_can_still_finish_what_it_accepted() {
    let fixture = of_a_mebibyte();
    fixture.schema("CREATE TABLE t (v)").await;
    let session = fixture.session();
    let stored = fill(&fixture).await;
    assert!((30..=38).contains(&stored), "{stored} values of 20,000 bytes in 768 KiB");
    let insert = session.execute("INSERT INTO t VALUES ($1)".into(), vec![Value::Blob(vec![0; 50_000])]).await;
    assert_eq!(insert, Err(full()));

    let handler = fixture.event_session(&event("e1"));
    assert_eq!(handler.set("more".into(), vec![0; 50_000]).await, Err(full()), "the write fails");
    for number in 0..20 {
        handler.publish(outgoing(&format!("o{number}"))).await.expect("the unit goes on, and may publish");
    }
    assert_eq!(handler.finish_event().await, Ok(Finished::Committed));

    assert_eq!(session.get("k0".into()).await, Ok(Some(vec![7; 20_000])), "reading works");
    session.delete_many((0..10).map(|key| format!("k{key}")).collect()).await.expect("deleting works");
    session.set("again".into(), vec![0; 50_000]).await.expect("and makes room");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_cannot_fill_the_disk_and_harms_nobody_else() {
    let fixture = Fixture::with_limits(On::Sqlite, |limits| {
        limits.storage_bytes = 1 << 20;
        limits.batch_wait_max = Duration::from_secs(5);
    });
    fixture.schema("CREATE TABLE t (v)").await;
    let blocker = fixture.session();
    blocker.begin().expect("begin");
    blocker.get("nothing".into()).await.expect("get");
    let flood = "INSERT INTO t WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000) \
                 SELECT randomblob(10000) FROM c";
    let mut tasks = Vec::new();
    for waiting in 0..5 {
        let session = fixture.session();
        tasks.push(tokio::spawn(async move {
            if waiting == 2 {
                return execute(&session, flood).await.map(drop);
            }
            session.increment("n".into(), 1).await.map(drop)
        }));
        fixture.waiting(waiting + 1).await;
    }
    blocker.commit().await.expect("commit");
    for (index, task) in tasks.into_iter().enumerate() {
        let result = task.await.expect("a task");
        assert_eq!(matches!(result, Err(StorageError::QuotaExceeded { .. })), index == 2, "{result:?}");
    }
    assert_eq!(fixture.session().get("n".into()).await, Ok(Some(b"4".to_vec())));
    let size = std::fs::metadata(fixture.file()).expect("metadata").len();
    assert!(size <= 1 << 20, "{size}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_is_a_part_of_the_quota_and_the_outbox_has_half_of_it() {
    let fixture = of_a_mebibyte();
    fill(&fixture).await;
    assert!(bytes_used(&fixture).await <= 768 << 10);
    let published = fill_outbox(&fixture).await;
    assert!((5..=10).contains(&published), "{published} events of 20,000 bytes in 128 KiB and what was left");
    assert!(bytes_used(&fixture).await <= 896 << 10);
    handle(&fixture, 100).await;
    fixture.database.close().await;
    let size = std::fs::metadata(fixture.file()).expect("metadata").len();
    assert!(size <= 1 << 20, "{size}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_alone_is_within_the_quota_too() {
    let fixture = of_a_mebibyte();
    let published = fill_outbox(&fixture).await;
    assert!((35..=44).contains(&published), "{published} events of 20,000 bytes in 896 KiB");
    handle(&fixture, 100).await;
    assert!(bytes_used(&fixture).await <= 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_do_not_move_into_what_the_outbox_has_left() {
    let fixture = of_a_mebibyte();
    fill(&fixture).await;
    let published = fill_outbox(&fixture).await;
    let outbox = fixture.database.outbox();
    let rows = outbox.next(100, u64::MAX >> 1).await.expect("rows");
    assert_eq!(rows.len(), published);
    outbox.published(&rows.iter().map(|row| row.seq).collect::<Vec<_>>()).await.expect("published");
    let more = fixture.session().set("more".into(), vec![7; 20_000]).await;
    assert_eq!(more, Err(full()), "its free pages are the outbox's");
    assert_eq!(fill_outbox(&fixture).await, published);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_leave_marks_their_room() {
    let fixture = of_a_mebibyte();
    let ledger = fixture.database.ledger();
    let mut letters = 0;
    let refused = loop {
        let mut dead = event(&format!("dead{letters}"));
        dead.payload = vec![7; 20_000].into();
        let kind = DeadLetterKind::Incoming;
        let letter = DeadLetter { kind, event: dead, reason: "rejected".to_owned(), attempts: 1, died_at_ms: 1 };
        match ledger.bury(letter).await {
            Ok(_) => letters += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, full());
    assert!((35..=44).contains(&letters), "{letters} events of 20,000 bytes in 896 KiB");
    handle(&fixture, 100).await;
}
