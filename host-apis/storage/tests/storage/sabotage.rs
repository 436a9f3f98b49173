//! Promises that are broken on purpose: the chaos tests are only worth something if these do what they say.

use std::time::Duration;

use hull_storage::{EventIdentity, EventState, Finished, Sabotage};

use crate::fixture::{Fixture, On, event, on_both, outgoing, session};

on_both! {
    without_marks_the_same_event_has_its_effect_again,
    without_an_outbox_an_event_is_gone_once_it_was_looked_at,
}

fn sabotaged(on: On, sabotage: Sabotage) -> Fixture {
    Fixture::with_options(on, |options| options.sabotage = Some(sabotage))
}

async fn without_marks_the_same_event_has_its_effect_again(on: On) {
    let fixture = sabotaged(on, Sabotage::HandledMarks);
    let event = event("e1");
    for times in 1..=2 {
        let handler = fixture.event_session(&event);
        handler.increment("seen".into(), 1).await.expect("incremented");
        assert_eq!(handler.finish_event().await, Ok(Finished::Committed));
        assert_eq!(fixture.session().get("seen".into()).await, Ok(Some(times.to_string().into_bytes())));
    }
    let state = fixture.database.ledger().state(&EventIdentity::of(&event)).await;
    assert_eq!(state, Ok(EventState::default()));
}

async fn without_an_outbox_an_event_is_gone_once_it_was_looked_at(on: On) {
    let fixture = sabotaged(on, Sabotage::Outbox);
    let unit = session(&fixture.database, None, Duration::from_secs(30));
    unit.begin().expect("begin");
    unit.publish(outgoing("a")).await.expect("publish");
    unit.commit().await.expect("commit");
    assert_eq!(fixture.database.outbox().next(10, 0).await.expect("rows").len(), 1);
    assert_eq!(fixture.database.outbox().next(10, 0).await, Ok(Vec::new()), "nobody has said that the bus holds it");
}
