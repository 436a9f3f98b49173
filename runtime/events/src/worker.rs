//! The task that fetches a component's events: never one before there is a slot for it, so that a backlog waits on
//! the bus and not in memory, and never more at once than `limits.consumers`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::error;

use crate::handler::Handler;
use crate::phase::{Phase, Phases};
use crate::source::{Source, Work, next_of};

/// How many slots are filled by one fetch.
const FETCH_MAX: usize = 64;
/// How long handlers have to give up after they were told to.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Fetch and hand out until the component drains, then wait for what runs.
pub(crate) async fn run(handler: Arc<Handler>, mut sources: Vec<Source>, phases: Phases) {
    let slots = Arc::new(Semaphore::new(handler.config.consumers.max(1)));
    let mut running = JoinSet::new();
    loop {
        while let Some(ended) = running.try_join_next() {
            reap(&handler, ended);
        }
        let taken = tokio::select! {
            biased;
            () = phases.reached(Phase::Draining) => None,
            taken = take(&slots, &mut sources) => taken,
        };
        match taken {
            Some((work, permits)) => hand_out(&handler, work, permits, &phases, &mut running).await,
            None => break,
        }
    }
    // Whoever was opened is let go of first: what is fetched by others meanwhile is theirs.
    drop(sources);
    let ending = async {
        while let Some(ended) = running.join_next().await {
            reap(&handler, ended);
        }
    };
    let given_up = async {
        phases.reached(Phase::Cancelled).await;
        tokio::time::sleep_until((hull_clock::now() + CANCEL_TIME).into()).await;
    };
    tokio::select! {
        () = ending => {}
        () = given_up => error!(component = %handler.config.id, "event handlers did not end in time and were dropped"),
    }
}

/// Wait for a slot, then for work. `None` once nothing will come any more. Cancelling loses nothing.
async fn take(slots: &Arc<Semaphore>, sources: &mut [Source]) -> Option<(Work, Vec<OwnedSemaphorePermit>)> {
    let mut permits = vec![Arc::clone(slots).acquire_owned().await.ok()?];
    // Units that share a commit end together: those that were told of it have their turn first.
    tokio::task::yield_now().await;
    while permits.len() < FETCH_MAX
        && let Ok(permit) = Arc::clone(slots).try_acquire_owned()
    {
        permits.push(permit);
    }
    match next_of(sources, permits.len()).await {
        Work::Closed => None,
        work => Some((work, permits)),
    }
}

async fn hand_out(
    handler: &Arc<Handler>,
    work: Work,
    mut permits: Vec<OwnedSemaphorePermit>,
    phases: &Phases,
    running: &mut JoinSet<()>,
) {
    match work {
        Work::Deliveries(subscription, deliveries) => {
            for begun in handler.begin(deliveries).await {
                let (handler, subscription, phases) = (Arc::clone(handler), Arc::clone(&subscription), phases.clone());
                let permit = permits.pop();
                running.spawn(async move {
                    let _slot = permit;
                    handler.deliver(&subscription, begun, phases).await;
                });
            }
        }
        Work::Request(request) => {
            let (handler, phases) = (Arc::clone(handler), phases.clone());
            let permit = permits.pop();
            running.spawn(async move {
                let _slot = permit;
                handler.respond(request, phases).await;
            });
        }
        Work::Closed => {}
    }
}

fn reap(handler: &Handler, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(component = %handler.config.id, %error, "handling an event panicked; it is delivered again");
    }
}
