//! A revision that is tried beside the one that serves: it is reachable, takes a share of the requests, and is promoted
//! or given up, by what the figures say or by somebody's word.

mod chooser;
mod drive;
mod plan;
mod seen;
mod shadow;

use std::sync::Arc;
use std::time::Duration;

use hull_clock::rfc3339_now;
use hull_gateway::Watch;
use hull_manifest::Name;
use hull_rollout::{Canary, Share, Waiting};
use parking_lot::Mutex;
use serde::Serialize;

use crate::deploy::Ready;
use crate::deploy::prepare::Base;
use crate::deployments::{DeploymentError, Deployments, Plan as Bringing};
use crate::revisions::{RolloutPlan, RolloutRecord, Store};
use chooser::PREVIEW;
use plan::{checked, sticky};
use seen::Seen;
use shadow::{Copying, Shadow};

pub(crate) use chooser::{Chooser, SPLIT};
pub(crate) use drive::drive;

/// A rollout that is under way.
pub(crate) struct Running {
    pub(crate) app: Name,
    kept: Mutex<RolloutRecord>,
    /// Taken by whoever ends it.
    ready: Mutex<Option<Ready>>,
    /// None where somebody's word alone decides.
    analysis: Mutex<Option<Canary>>,
    waiting: Mutex<Option<Waiting>>,
    chooser: Arc<Chooser>,
    stable: Arc<Seen>,
    canary: Arc<Seen>,
    interval: Duration,
    /// A revision that is run in parallel, and serves nobody.
    shadow: Option<Arc<Shadow>>,
}

/// How the last rollout of an app ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ended {
    pub(crate) revision: u64,
    pub(crate) outcome: &'static str,
    pub(crate) reason: String,
    pub(crate) time: String,
}

/// What somebody says about a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Promote,
    Abort,
    Pause,
    Resume,
}

/// What a rollout is at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    state: &'static str,
    revision: u64,
    steps: Vec<u32>,
    step: usize,
    share: u32,
    waiting: String,
    stable: Figures,
    canary: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<shadow::Report>,
}

#[derive(Debug, Clone, Serialize)]
struct Figures {
    requests: u64,
    failed: u64,
    p99_ms: f64,
}

impl Running {
    fn new(kept: RolloutRecord, app: Name, ready: Ready, shadow: Option<Arc<Shadow>>) -> Result<Self, DeploymentError> {
        let by = sticky(&kept.plan)?;
        let interval = Duration::from_millis(kept.plan.interval_ms);
        let analysis = checked(&kept.plan)?.map(|plan| Canary::resume(plan, kept.step, hull_clock::now()));
        let share = analysis.as_ref().map_or(Share::NONE, Canary::share);
        Ok(Self {
            app,
            chooser: Arc::new(Chooser::new(&by, kept.seed, share, PREVIEW)),
            kept: Mutex::new(kept),
            ready: Mutex::new(Some(ready)),
            analysis: Mutex::new(analysis),
            waiting: Mutex::default(),
            stable: Arc::default(),
            canary: Arc::default(),
            interval,
            shadow,
        })
    }

    /// What is tried, until it is decided about.
    pub(crate) fn candidate(&self) -> Option<crate::Deployed> {
        self.ready.lock().as_ref().map(|ready| ready.deployed.clone())
    }

    pub(crate) fn status(&self) -> Status {
        let kept = self.kept.lock().clone();
        let analysis = self.analysis.lock();
        let figures = |seen: &Seen, tally: Option<&hull_rollout::Tally>| {
            let mut all = seen.look();
            tally.into_iter().for_each(|tally| all.add_all(tally));
            let p99_ms = if all.requests() == 0 { 0.0 } else { all.quantile(0.99).as_secs_f64() * 1000.0 };
            Figures { requests: all.requests(), failed: all.failed(), p99_ms }
        };
        let seen = analysis.as_ref().map(Canary::seen);
        Status {
            state: if kept.paused { "paused" } else { "running" },
            revision: kept.record.revision,
            step: kept.step,
            share: self.chooser.share().hundredths(),
            waiting: match *self.waiting.lock() {
                Some(Waiting::Traffic { stable, canary, wanted }) => format!(
                    "too little traffic to judge: {canary} requests of the canary and {stable} of the old version in this \
                     step, {wanted} of each are needed"
                ),
                _ => String::new(),
            },
            steps: kept.plan.steps,
            stable: figures(&self.stable, seen.map(|(stable, _)| stable)),
            canary: figures(&self.canary, seen.map(|(_, canary)| canary)),
            shadow: self.shadow.as_ref().map(|shadow| shadow.report()),
        }
    }
}

impl Deployments {
    /// Try what was received beside what serves, instead of letting it serve.
    pub(crate) async fn begin_rollout(
        self: &Arc<Self>,
        app: Name,
        bringing: Bringing,
        plan: RolloutPlan,
    ) -> Result<crate::Record, DeploymentError> {
        checked(&plan)?;
        if !self.node.apps.read().await.contains_key(app.as_str()) {
            let what =
                format!("app {app} serves nothing yet that a revision could be compared with; deploy it without");
            return Err(DeploymentError::Conflict(what));
        }
        let Bringing { record, draft } = bringing;
        let kept = RolloutRecord { record, plan, seed: hull_clock::random_u64(), step: 0, paused: false };
        self.try_out(app, kept, draft, true).await
    }

    /// Make a revision ready and send it its share.
    pub(crate) async fn try_out(
        self: &Arc<Self>,
        app: Name,
        kept: RolloutRecord,
        draft: crate::revisions::Draft,
        is_new: bool,
    ) -> Result<crate::Record, DeploymentError> {
        let record = kept.record.clone();
        let (record, draft, parsed) = self.laid_out(record, draft).await?;
        let record = self.within_contracts(record, &draft, &parsed).await?;
        let tree = draft.tree();
        let ready = self.node.make_ready(parsed, Base::ours(&tree, &record, is_new, kept.plan.shadow.is_some())).await;
        let ready = ready.map_err(|failed| DeploymentError::Refused(failed.to_string()))?;
        let record = record.signed_as(&ready.deployed);
        let kept = RolloutRecord { record: record.clone(), ..kept };
        let written = kept.clone();
        self.with_store(move |store| if is_new { store.keep_rollout(&written, &draft) } else { Ok(()) }).await?;
        self.node.crash_points.passed("rollout kept");
        let shadow = match kept.plan.shadow.clone() {
            Some(plan) => Some(self.begin_shadow(&ready, plan).await?),
            None => None,
        };
        let running = Arc::new(Running::new(kept, app, ready, shadow)?);
        self.set_trial(&running).await?;
        *self.rollout.lock() = Some(Arc::clone(&running));
        tokio::spawn(drive(Arc::downgrade(self), running));
        Ok(record)
    }

    /// Both revisions' routes, watched.
    async fn set_trial(&self, running: &Running) -> Result<(), DeploymentError> {
        let failed = |failed: crate::DeployFailed| DeploymentError::Refused(failed.to_string());
        let gone = || DeploymentError::Conflict("the rollout has ended".to_owned());
        let candidate = running.ready.lock().as_ref().map(|ready| ready.deployed.clone()).ok_or_else(gone)?;
        let stable = self.node.apps.read().await.get(running.app.as_str()).cloned().ok_or_else(gone)?;
        if let Some(shadow) = &running.shadow {
            let copying = Copying { seen: Arc::clone(&running.stable), shadow: Arc::clone(shadow) };
            let watch = Watch(Arc::new(copying));
            self.node.routes.set(self.node.table_with(&stable, Some(&watch)).await.map_err(failed)?);
            return Ok(());
        }
        let watch = |seen: &Arc<Seen>| Watch(Arc::clone(seen) as Arc<dyn hull_gateway::Watches>);
        let old = self.node.table_with(&stable, Some(&watch(&running.stable))).await.map_err(failed)?;
        let new = self.node.table_with(&candidate, Some(&watch(&running.canary))).await.map_err(failed)?;
        self.node.admit_beside(&candidate).await;
        self.node.routes.set_trial(old, new, Arc::clone(&running.chooser) as Arc<dyn hull_gateway::Chooses>);
        Ok(())
    }

    /// The rollout that is under way, of whatever app.
    pub(crate) fn running(&self) -> Option<Arc<Running>> {
        self.rollout.lock().clone()
    }

    /// Nothing else is deployed while a revision is tried: the figures would be of something else.
    pub(crate) fn no_rollout(&self) -> Result<(), DeploymentError> {
        match self.running() {
            None => Ok(()),
            Some(running) => Err(DeploymentError::Conflict(format!(
                "a rollout of app {} is under way; promote or abort it first (`hull rollout`)",
                running.app
            ))),
        }
    }

    /// Follow somebody's word.
    pub(crate) async fn say(self: &Arc<Self>, app: &Name, word: Word, by: &str) -> Result<(), DeploymentError> {
        let none = || DeploymentError::Missing(format!("no rollout of app {app} is under way"));
        let running = self.running().filter(|running| running.app == *app).ok_or_else(none)?;
        match word {
            Word::Promote => self.promote(&running, format!("{by} said so")).await,
            Word::Abort => self.abort(&running, format!("{by} said so")).await,
            Word::Pause | Word::Resume => {
                let kept = {
                    let mut kept = running.kept.lock();
                    kept.paused = word == Word::Pause;
                    kept.clone()
                };
                if running.ready.lock().is_none() {
                    return Err(none());
                }
                // What is seen from now on is another step: a pause may have had its reason.
                let plan = checked(&kept.plan)?;
                *running.analysis.lock() = plan.map(|plan| Canary::resume(plan, kept.step, hull_clock::now()));
                self.with_store(move |store| store.update_rollout(&running.kept)).await
            }
        }
    }

    /// Let what was tried serve everybody.
    pub(crate) async fn promote(
        self: &Arc<Self>,
        running: &Arc<Running>,
        reason: String,
    ) -> Result<(), DeploymentError> {
        let own = Arc::clone(self);
        let running = Arc::clone(running);
        let node = Arc::clone(&self.node);
        crate::deployments::stopping::to_its_end(
            &self.node,
            async move { Ok(node.turn().await) },
            move |turn| async move {
                let record = running.kept.lock().record.clone();
                let commit = own.commit_kept(crate::Record { time: rfc3339_now(), ..record })?;
                let anew = own.ready_anew(&running).await?;
                let taken = running.ready.lock().take();
                let tried = taken.ok_or_else(|| DeploymentError::Conflict("the rollout has ended".to_owned()))?;
                let candidate = tried.deployed.clone();
                let ready = anew.unwrap_or(tried);
                let switched = own.node.switch_on(turn, ready, commit).await;
                match switched {
                    Ok(_) => own.ended(&running, "promoted", reason).await,
                    Err(failed) => {
                        let why = failed.to_string();
                        own.back_to_stable(&running, &candidate).await;
                        own.ended(&running, "aborted", why.clone()).await?;
                        Err(DeploymentError::Refused(why))
                    }
                }
            },
        )
        .await
    }

    /// Send everybody to what served before.
    pub(crate) async fn abort(self: &Arc<Self>, running: &Arc<Running>, reason: String) -> Result<(), DeploymentError> {
        let _turn = self.node.turn().await;
        let taken = running.ready.lock().take();
        let ready = taken.ok_or_else(|| DeploymentError::Conflict("the rollout has ended".to_owned()))?;
        self.back_to_stable(running, &ready.deployed).await;
        self.ended(running, "aborted", reason).await
    }

    async fn back_to_stable(&self, running: &Running, candidate: &crate::Deployed) {
        let stable = self.node.apps.read().await.get(running.app.as_str()).cloned();
        if let Some(stable) = stable {
            match self.node.table_with(&stable, None).await {
                Ok(table) => self.node.routes.set(table),
                Err(error) => {
                    // They were accepted before; then at least nobody is chosen any more.
                    tracing::error!(%error, "the routes without the canary could not be set");
                    running.chooser.set(Share::NONE);
                }
            }
        }
        self.node.engine.retire(&candidate.revision);
    }

    async fn ended(&self, running: &Running, outcome: &'static str, reason: String) -> Result<(), DeploymentError> {
        let revision = running.kept.lock().record.revision;
        tracing::info!(app = %running.app, revision, outcome, reason, "a rollout has ended");
        let ended = Ended { revision, outcome, reason: reason.clone(), time: rfc3339_now() };
        self.last_rollouts.lock().insert(running.app.clone(), ended);
        self.rollout.lock().take_if(|current| std::ptr::eq(Arc::as_ptr(current), running));
        let app = running.app.clone();
        let dropped = self.with_store(move |store: &Store| store.drop_rollout(&app)).await;
        let happening = crate::audit::Happening {
            by: "rollout".to_owned(),
            from: "host".to_owned(),
            action: "rollout".to_owned(),
            app: running.app.to_string(),
            detail: format!("revision {revision}: {reason}"),
            result: outcome.to_owned(),
        };
        if let Err(error) = self.node.audit.write(happening).await {
            tracing::error!(%error, "the end of a rollout could not be written down");
        }
        dropped
    }
}
