//! Takes a rollout from step to step, for as long as the host runs.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hull_rollout::{Canary, Decision};

use super::Running;
use crate::deployments::Deployments;

/// How often figures are gathered within a step, and within which bounds.
const GATHERINGS: u32 = 16;
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Until it has ended, by the figures or by somebody's word.
pub(crate) async fn drive(deployments: Weak<Deployments>, running: Arc<Running>) {
    let pause = (running.interval / GATHERINGS).clamp(PAUSE_MIN, PAUSE_MAX);
    loop {
        tokio::time::sleep_until((hull_clock::now() + pause).into()).await;
        let Some(deployments) = deployments.upgrade() else { return };
        if deployments.node.is_stopping() || running.ready.lock().is_none() {
            return;
        }
        if running.kept.lock().paused {
            drop((running.stable.take(), running.canary.take()));
            continue;
        }
        let ended = match look(&running) {
            None | Some(Decision::Wait(_)) => continue,
            Some(Decision::Step(share)) => {
                running.chooser.set(share);
                let revision = running.kept.lock().record.revision;
                tracing::info!(app = %running.app, revision, share = %share, "the canary takes more");
                let running = Arc::clone(&running);
                deployments.with_store(move |store| store.update_rollout(&running.kept)).await
            }
            Some(Decision::Promote) => deployments.promote(&running, "it was no worse in any step".to_owned()).await,
            Some(Decision::Abort(worse)) => deployments.abort(&running, worse.to_string()).await,
        };
        if let Err(error) = ended {
            tracing::error!(%error, app = %running.app, "a rollout could not go on");
        }
    }
}

fn look(running: &Running) -> Option<Decision> {
    let mut analysis = running.analysis.lock();
    let canary: &mut Canary = analysis.as_mut()?;
    canary.on_seen(&running.stable.take(), &running.canary.take());
    let decision = canary.on_look(hull_clock::now());
    match &decision {
        Decision::Wait(waiting @ hull_rollout::Waiting::Traffic { .. }) => *running.waiting.lock() = Some(*waiting),
        Decision::Wait(hull_rollout::Waiting::Interval) => {}
        Decision::Step(_) => {
            running.kept.lock().step = canary.step();
            *running.waiting.lock() = None;
        }
        Decision::Promote | Decision::Abort(_) => {}
    }
    Some(decision)
}
