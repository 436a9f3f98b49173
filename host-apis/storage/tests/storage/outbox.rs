//! The outbox: in the order of commits, until the bus holds it, with publishers told.

use std::time::Duration;

use hull_storage::{DeadLetterFilter, DeadLetterKind, OutgoingEvent, StorageError};

use crate::fixture::{Fixture, On, on_both, outgoing, session};

on_both! {
    rows_come_in_the_order_of_commits_until_they_are_published,
    a_rolled_back_publish_never_was,
    outside_a_unit_the_publisher_waits_for_the_bus,
    a_time_that_never_comes_is_refused,
    a_publisher_does_not_wait_beyond_its_deadline,
    a_refused_event_goes_to_who_waits_or_to_the_dead_letters,
    delayed_events_stay_until_they_are_due,
}

async fn rows_come_in_the_order_of_commits_until_they_are_published(on: On) {
    let fixture = Fixture::new(on);
    let outbox = fixture.database.outbox();
    assert_eq!(outbox.next(10, 0).await, Ok(Vec::new()));
    assert_eq!(fixture.database.exists(), on == On::Postgres, "looking for events makes no file");
    let unit = fixture.session();
    unit.begin().expect("begin");
    for id in ["a", "b", "c"] {
        unit.publish(outgoing(id)).await.expect("publish");
    }
    unit.commit().await.expect("commit");
    outbox.wait().await;
    let rows = outbox.next(10, 0).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.event.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(rows[0].event, outgoing("a"));
    outbox.published(&[rows[1].seq]).await.expect("published");
    let rest = outbox.next(10, 0).await.expect("rows");
    assert_eq!(rest.iter().map(|row| row.event.id.as_str()).collect::<Vec<_>>(), ["a", "c"], "not only later ones");
    assert_eq!(outbox.next(1, 0).await.expect("rows").len(), 1);
    assert_eq!(fixture.database.statistics().await.expect("statistics").outbox_rows, 2);
}

async fn a_rolled_back_publish_never_was(on: On) {
    let fixture = Fixture::new(on);
    let unit = fixture.session();
    unit.begin().expect("begin");
    unit.publish(outgoing("a")).await.expect("publish");
    unit.rollback().await.expect("rollback");
    assert_eq!(fixture.database.outbox().next(10, 0).await, Ok(Vec::new()));
}

async fn outside_a_unit_the_publisher_waits_for_the_bus(on: On) {
    let fixture = Fixture::new(on);
    let outbox = fixture.database.outbox();
    let publishing = tokio::spawn({
        let session = fixture.session();
        async move { session.publish(outgoing("a")).await }
    });
    outbox.wait().await;
    let rows = outbox.next(10, 0).await.expect("rows");
    assert!(!publishing.is_finished());
    outbox.published(&[rows[0].seq]).await.expect("published");
    assert_eq!(publishing.await.expect("a task"), Ok(()));
    assert_eq!(outbox.next(10, 0).await, Ok(Vec::new()));
}

async fn a_time_that_never_comes_is_refused(on: On) {
    let fixture = Fixture::new(on);
    let at = |at_ms| OutgoingEvent { deliver_at_ms: Some(at_ms), ..outgoing("far") };
    let last = 253_402_300_799_999;
    for unit in [false, true] {
        let session = fixture.session();
        if unit {
            session.begin().expect("begin");
        }
        for at_ms in [u64::MAX, i64::MAX as u64 + 1, last + 1] {
            let refused = session.publish(at(at_ms)).await;
            assert!(matches!(&refused, Err(StorageError::Invalid(text)) if text.contains("9999")), "{refused:?}");
        }
    }
    assert_eq!(fixture.database.statistics().await.expect("statistics").outbox_rows, 0);
    fixture.session().publish(at(last)).await.expect("the end of the year 9999");
    assert_eq!(fixture.database.outbox().next_due().await, Ok(Some(last)));
}

async fn a_publisher_does_not_wait_beyond_its_deadline(on: On) {
    let fixture = Fixture::new(on);
    fixture.session().set("k".into(), Vec::new()).await.expect("the file is open");
    let short = session(&fixture.database, None, Duration::from_secs(3));
    assert!(matches!(short.publish(outgoing("a")).await, Err(StorageError::Timeout(_))));
    let rows = fixture.database.outbox().next(10, 0).await.expect("rows");
    assert_eq!(rows.len(), 1, "it is kept all the same");
    fixture.database.outbox().published(&[rows[0].seq]).await.expect("nobody waits, and that is fine");
}

async fn a_refused_event_goes_to_who_waits_or_to_the_dead_letters(on: On) {
    let fixture = Fixture::new(on);
    let outbox = fixture.database.outbox();
    let refusal = || StorageError::Refused("orders.created is not in `publishes`".into());
    let publishing = tokio::spawn({
        let session = fixture.session();
        async move { session.publish(outgoing("waits")).await }
    });
    outbox.wait().await;
    let rows = outbox.next(10, 0).await.expect("rows");
    outbox.refused(&rows[0], "/shop/orders", refusal()).await.expect("refused");
    assert_eq!(publishing.await.expect("a task"), Err(refusal()));

    let unit = fixture.session();
    unit.begin().expect("begin");
    unit.publish(outgoing("committed")).await.expect("publish");
    unit.commit().await.expect("commit");
    let rows = outbox.next(10, 0).await.expect("rows");
    outbox.refused(&rows[0], "/shop/orders", refusal()).await.expect("refused");
    assert_eq!(outbox.next(10, 0).await, Ok(Vec::new()));
    let dead = fixture.database.ledger().dead_letters(&DeadLetterFilter::default(), 0, 10).await.expect("list");
    assert_eq!(dead.len(), 1, "only the one that nobody was told of");
    assert_eq!(dead[0].letter.kind, DeadLetterKind::Outgoing);
    assert_eq!(dead[0].letter.event.key.id, "committed");
    assert_eq!(dead[0].letter.event.key.source, "/shop/orders");
}

async fn delayed_events_stay_until_they_are_due(on: On) {
    let fixture = Fixture::new(on);
    let outbox = fixture.database.outbox();
    let far = hull_clock::unix_ms() + 3_600_000;
    let at = |id: &str, at_ms| OutgoingEvent { deliver_at_ms: Some(at_ms), ..outgoing(id) };
    let session = fixture.session();
    session.publish(at("later", far + 10)).await.expect("the outbox holds it: that is enough");
    session.publish(at("sooner", far)).await.expect("publish");
    let unit = fixture.session();
    unit.begin().expect("begin");
    unit.publish(outgoing("now")).await.expect("publish");
    unit.commit().await.expect("commit");
    let ids = async |now_ms| -> Vec<String> {
        outbox.next(10, now_ms).await.expect("rows").into_iter().map(|row| row.event.id).collect()
    };
    assert_eq!(ids(far - 1).await, ["now"]);
    assert_eq!(ids(far).await, ["sooner", "now"]);
    assert_eq!(ids(far + 10).await, ["sooner", "later", "now"]);
    assert_eq!(outbox.next_due().await, Ok(Some(far)));
}
