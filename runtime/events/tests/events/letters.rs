//! Dead letters: replayed and purged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hull_events::{ComponentConfig, EventsError, Replayed};
use hull_invocation::{Failure, Resource};
use hull_storage::{DeadLetterFilter, StoredDeadLetter};

use crate::world::{Act, DRAIN, World, orders, outgoing, soon};

async fn letters(world: &World) -> Vec<StoredDeadLetter> {
    world.events.dead_letters(&orders(), &DeadLetterFilter::default(), 0, 100).await.expect("lists")
}

/// A world with these events buried, whose guest rejects until it is mended.
async fn with_letters(ids: &[&str]) -> (World, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&mended);
    let world = World::new(move |event, _| match (seen.load(Ordering::SeqCst), event.key.id.as_str()) {
        (true, "busy") => Act::AcceptAtGate,
        (true, _) => Act::Accept,
        (false, "odd") => Act::Reject("odd"),
        (false, _) => Act::Reject("broken"),
    })
    .await;
    world.start().await;
    for id in ids {
        world.publish(id).await;
    }
    let count = ids.len() as u64;
    world.until(|counts| counts.dead == count).await;
    world.all_acknowledged().await;
    (world, mended)
}

#[tokio::test]
async fn a_replay_handles_the_event_and_the_letter_is_gone() {
    let (world, mended) = with_letters(&["1"]).await;
    let id = letters(&world).await[0].id;
    mended.store(true, Ordering::SeqCst);
    assert_eq!(soon(world.events.replay(&orders(), id)).await, Ok(Replayed::Done));
    assert_eq!(world.effects().await, ["1"]);
    assert!(letters(&world).await.is_empty());
    let again = world.events.replay(&orders(), id).await;
    assert_eq!(again, Err(EventsError::UnknownLetter { component: orders(), letter: id }));
    assert_eq!(world.effects().await, ["1"], "once");
    let attempts: Vec<_> = world.door.calls().iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2]);
}

#[tokio::test]
async fn a_replay_that_fails_keeps_the_letter() {
    let (world, _) = with_letters(&["1"]).await;
    let id = letters(&world).await[0].id;
    let replayed = soon(world.events.replay(&orders(), id)).await.expect("tried");
    assert!(matches!(&replayed, Replayed::Failed(why) if why.contains("broken")), "{replayed:?}");
    let after = world.events.dead_letter(&orders(), id).await.expect("still there");
    assert_eq!((after.id, after.letter.attempts), (id, 2));
}

#[tokio::test]
async fn a_replay_that_is_shed_changes_nothing() {
    let refuse = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&refuse);
    let world = World::new(move |_, _| {
        let retry_after = Duration::from_millis(1);
        let shed = Failure::Shed { component: orders(), resource: Resource::Bulkhead, retry_after };
        if seen.load(Ordering::SeqCst) { Act::Fail(shed) } else { Act::Reject("no") }
    })
    .await;
    world.start().await;
    world.publish("1").await;
    world.until(|counts| counts.dead == 1).await;
    refuse.store(true, Ordering::SeqCst);
    let before = letters(&world).await;
    let replayed = soon(world.events.replay(&orders(), before[0].id)).await;
    assert!(matches!(replayed, Err(EventsError::NotTried { .. })), "{replayed:?}");
    assert_eq!(letters(&world).await, before);
}

#[tokio::test]
async fn two_replays_of_one_letter_do_not_run_at_once() {
    let (world, mended) = with_letters(&["busy"]).await;
    let id = letters(&world).await[0].id;
    mended.store(true, Ordering::SeqCst);
    let component = orders();
    let (first, ()) = tokio::join!(soon(world.events.replay(&component, id)), async {
        world.door.started(2).await;
        let second = world.events.replay(&component, id).await;
        assert_eq!(second, Err(EventsError::Busy { component: orders(), letter: id }));
        world.door.gate.add_permits(1);
    });
    assert_eq!(first, Ok(Replayed::Done));
    assert_eq!(world.effects().await, ["busy"]);
}

#[tokio::test]
async fn many_are_replayed_by_reason_and_purged_by_reason() {
    let (world, mended) = with_letters(&["1", "odd", "2", "3"]).await;
    let broken = DeadLetterFilter { reason: Some("broken".into()), ..DeadLetterFilter::default() };
    let failed = soon(world.events.replay_all(&orders(), &broken)).await.expect("tried");
    assert_eq!((failed.done, failed.failed.len()), (0, 3), "each was tried once");
    mended.store(true, Ordering::SeqCst);
    let summary = soon(world.events.replay_all(&orders(), &broken)).await.expect("tried");
    assert_eq!((summary.done, summary.failed.len()), (3, 0));
    assert_eq!(world.effects().await, ["1", "2", "3"]);
    assert_eq!(world.events.purge_all(&orders(), &broken).await, Ok(0));
    assert_eq!(world.events.purge_all(&orders(), &DeadLetterFilter::default()).await, Ok(1));
    assert!(letters(&world).await.is_empty());
}

#[tokio::test]
async fn a_purged_letter_is_gone_and_stays_gone() {
    let (world, _) = with_letters(&["1", "2"]).await;
    let id = letters(&world).await[0].id;
    world.events.purge(&orders(), id).await.expect("purges");
    let unknown = Err(EventsError::UnknownLetter { component: orders(), letter: id });
    assert_eq!(world.events.purge(&orders(), id).await, unknown);
    assert_eq!(letters(&world).await.len(), 1);
    let world = world.crash(|_, _| Act::Accept).await;
    world.start().await;
    world.publish("3").await;
    world.until(|counts| counts.handled == 1).await;
    assert_eq!((letters(&world).await.len(), world.effects().await), (1, vec!["3".to_owned()]));
}

#[tokio::test]
async fn an_event_that_was_not_granted_goes_out_when_it_is() {
    let world = World::new(|_, _| Act::Accept).await;
    world.start().await;
    let session = world.session();
    session.begin().expect("begins");
    session.publish(outgoing("1", "secret.a")).await.expect("in the outbox");
    session.commit().await.expect("commits");
    world.until(|counts| counts.refused == 1).await;
    let id = letters(&world).await[0].id;
    let replayed = soon(world.events.replay(&orders(), id)).await.expect("tried");
    assert!(matches!(replayed, Replayed::Failed(why) if why.contains("publishes")));
    let publishes = vec!["secret.*".parse().expect("a pattern")];
    world.events.start(ComponentConfig { publishes, ..world.config() }, DRAIN).await;
    assert_eq!(soon(world.events.replay(&orders(), id)).await, Ok(Replayed::Done));
    assert_eq!(world.bus_status().await.streams[0].events, 1);
    assert!(letters(&world).await.is_empty());
}

/// Payloads in these tests are no JSON.
fn schemas(schema: &str) -> Option<Arc<hull_contracts::EventSchemas>> {
    let contract = hull_contracts::Contract::read([("events/in.a.json", schema)]).expect("a contract");
    Some(Arc::new(contract.events))
}

#[tokio::test]
async fn what_does_not_match_its_contract_is_a_letter_without_an_attempt() {
    let world = World::new(|_, _| Act::Accept).await;
    world.events.start(ComponentConfig { schemas: schemas("{}"), ..world.config() }, DRAIN).await;
    world.publish("1").await;
    world.until(|counts| counts.dead == 1).await;
    world.all_acknowledged().await;
    let letter = letters(&world).await.remove(0);
    assert!(letter.letter.reason.contains("in.a does not match its contract"), "{}", letter.letter.reason);
    assert_eq!(letter.letter.attempts, 0);
    assert!(world.door.calls().is_empty(), "no handler was started");
    let replayed = soon(world.events.replay(&orders(), letter.id)).await.expect("tried");
    assert!(matches!(replayed, Replayed::Failed(why) if why.contains("no JSON")));
    assert_eq!(letters(&world).await.len(), 1);
    // Without the contract it is as good as any other.
    world.events.start(world.config(), DRAIN).await;
    assert_eq!(soon(world.events.replay(&orders(), letter.id)).await, Ok(Replayed::Done));
    assert_eq!(world.effects().await, ["1"]);
}
