//! What a daemon deploys: each deployment is a revision that is committed before it serves, and each start brings back
//! the last one of each app.

pub(crate) mod next_record;
pub(crate) mod removing;
pub(crate) mod restoring;
pub(crate) mod stopping;

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_manifest::{App, Host, Name, Reading, Source, Values};
use hull_threads::aside;
use parking_lot::Mutex;

use crate::deploy::prepare::Base;
use crate::deploy::unenforced::unenforced;
use crate::deploy::{Commit, Deployed, Turn};
use crate::deployments::next_record::{check_removal, next_record, wanted};
use crate::deployments::stopping::to_its_end;
use crate::error::ComponentProblem;
use crate::node::{Node, NodeError};
use crate::revisions::{Draft, Record, Store, StoreError, UploadError, UploadPlaces, receive};
use crate::rollouts::{Ended, Running};

/// Uploads that are received at once.
const UPLOADS_MAX: usize = 4;

/// Why a deployment did not happen. Nothing that serves was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// It cannot be deployed as it is.
    #[error("{0}")]
    Refused(String),
    /// Something else was deployed meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// There is no such app or revision.
    #[error("{0}")]
    Missing(String),
    /// It is too much.
    #[error("{0}")]
    TooLarge(String),
    /// Not now.
    #[error("{0}")]
    Busy(String),
    /// It has happened, and something that belongs to it has not.
    #[error("{0}")]
    Unfinished(String),
    /// The state directory cannot be read or written.
    #[error("{0}; nothing that serves was changed")]
    Storage(String),
}

impl From<StoreError> for DeploymentError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoRevision { .. } => Self::Missing(error.to_string()),
            StoreError::Damaged { .. } | StoreError::Io { .. } => Self::Storage(error.to_string()),
        }
    }
}

impl From<UploadError> for DeploymentError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge(_) => Self::TooLarge(error.to_string()),
            UploadError::Invalid(_) | UploadError::BrokeOff(_) => Self::Refused(error.to_string()),
            UploadError::Io(_) => Self::Storage(error.to_string()),
        }
    }
}

/// The apps of a daemon.
pub struct Deployments {
    pub(crate) node: Arc<Node>,
    host: Host,
    store: Arc<Store>,
    places: UploadPlaces,
    /// The values of variables that the host has: of secret ones, no others count.
    values: BTreeMap<String, String>,
    uploads: Arc<tokio::sync::Semaphore>,
    /// Apps that were committed and could not be brought back.
    pub(crate) unrestored: Mutex<BTreeMap<Name, String>>,
    /// One at a time on a host.
    pub(crate) rollout: Mutex<Option<Arc<Running>>>,
    pub(crate) last_rollouts: Mutex<BTreeMap<Name, Ended>>,
}

/// What a deployment is to be made of.
pub(crate) struct Plan {
    pub(crate) record: Record,
    pub(crate) draft: Draft,
}

impl Deployments {
    /// Open what was deployed. Nothing serves before [`Deployments::restore`].
    pub fn open(node: &Arc<Node>, host: Host, values: BTreeMap<String, String>) -> Result<Arc<Self>, NodeError> {
        let (_, folder) = node.state_dir.folder("revisions")?;
        let store = Store::open(folder, Arc::clone(&node.crash_points));
        let store = Arc::new(store.map_err(|error| NodeError::Revisions(error.to_string()))?);
        Ok(Arc::new(Self {
            node: Arc::clone(node),
            host,
            places: UploadPlaces(store.incoming()),
            store,
            values,
            uploads: Arc::new(tokio::sync::Semaphore::new(UPLOADS_MAX)),
            unrestored: Mutex::default(),
            rollout: Mutex::default(),
            last_rollouts: Mutex::default(),
        }))
    }

    /// Apps that were committed and do not serve, and why.
    pub(crate) fn unrestored(&self) -> BTreeMap<Name, String> {
        self.unrestored.lock().clone()
    }

    /// Receive an upload. Dropping the future leaves nothing of it. Of what is refused the rest of the body comes back.
    pub(crate) async fn receive<B>(&self, body: B) -> Result<Draft, (DeploymentError, Option<B>)>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let Ok(place) = Arc::clone(&self.uploads).try_acquire_owned() else {
            let what = format!("{UPLOADS_MAX} uploads are under way already; try again when one has ended");
            return Err((DeploymentError::Busy(what), Some(body)));
        };
        let places = self.places.clone();
        let receiving = aside(async move {
            // Taken until the last byte is written, also when nobody waits for it any more.
            let _place = place;
            let mut body = body;
            (receive(&mut body, &places).await, body)
        });
        let (received, rest) = receiving.await.map_err(|error| (DeploymentError::Storage(error.to_string()), None))?;
        let draft = received.map_err(|error| (error.into(), Some(rest)))?;
        self.node.crash_points.passed("received");
        Ok(draft)
    }

    /// Deploy what was received. If another deployment is under way, this one waits for it. It goes to its end whoever
    /// waits for it.
    pub(crate) async fn deploy(
        self: &Arc<Self>,
        app: Name,
        draft: Draft,
        by: String,
    ) -> Result<Record, DeploymentError> {
        let own = Arc::clone(self);
        let waiting = Arc::clone(self);
        to_its_end(&self.node, async move { waiting.turn().await }, move |turn| async move {
            let name = app.clone();
            let (before, removal) =
                own.with_store(move |store| Ok((store.current(&name)?, store.removal(&name)?))).await?;
            check_removal(&app, removal, draft.head.manifest.is_some())?;
            let record = next_record(&app, &draft, before.as_ref(), by)?;
            match draft.head.rollout.clone() {
                None => own.bring(turn, Plan { record, draft }, true).await,
                Some(plan) => {
                    let begun = own.begin_rollout(app, Plan { record, draft }, plan).await;
                    drop(turn);
                    begun
                }
            }
        })
        .await
    }

    /// Commit an old revision's content anew: that of `to`, or of the one before the last.
    pub(crate) async fn roll_back(
        self: &Arc<Self>,
        app: Name,
        to: Option<u64>,
        message: String,
        by: String,
    ) -> Result<Record, DeploymentError> {
        let own = Arc::clone(self);
        let waiting = Arc::clone(self);
        to_its_end(&self.node, async move { waiting.turn().await }, move |turn| async move {
            let name = app.clone();
            let removal = own.with_store(move |store| store.removal(&name)).await?;
            check_removal(&app, removal, true)?;
            let (last, old) = own.with_store(move |store| wanted(store, &app, to)).await?;
            let record = Record {
                revision: last + 1,
                time: hull_clock::rfc3339_now(),
                by,
                message,
                restores: Some(old.restores.unwrap_or(old.revision)),
                ..old
            };
            let plan = own.plan(record)?;
            own.bring(turn, plan, true).await
        })
        .await
    }

    /// The turn to deploy, which nobody has while a revision is tried.
    pub(crate) async fn turn(&self) -> Result<Turn, DeploymentError> {
        let turn = self.node.turn().await;
        self.no_rollout().map(|()| turn)
    }

    /// A page of an app's revisions, the newest first.
    pub(crate) async fn history(
        &self,
        app: Name,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Record>, DeploymentError> {
        self.with_store(move |store| store.history(&app, before, most)).await
    }

    /// A revision with the text of its manifest; the last one where none is named.
    pub(crate) async fn revision(&self, app: Name, revision: Option<u64>) -> Result<(Record, String), DeploymentError> {
        self.with_store(move |store| {
            let record = match revision {
                Some(revision) => store.record(&app, revision)?,
                None => store.current(&app)?.ok_or(StoreError::NoRevision { app: app.to_string(), revision: 0 })?,
            };
            let manifest = store.manifest(&record, None)?;
            Ok((record, manifest))
        })
        .await
    }

    pub(crate) fn plan(&self, record: Record) -> Result<Plan, DeploymentError> {
        let draft = Draft::empty(&self.places).map_err(|error| DeploymentError::Storage(error.to_string()))?;
        Ok(Plan { record, draft })
    }

    /// Let a revision serve; before that it is committed, unless it is what was committed last.
    pub(crate) async fn bring(&self, turn: Turn, plan: Plan, is_new: bool) -> Result<Record, DeploymentError> {
        let Plan { record, draft } = plan;
        let (record, draft, app) = self.laid_out(record, draft).await?;
        let record = self.within_contracts(record, &draft, &app).await?;
        let (store, committed, draft) = (Arc::clone(&self.store), record.clone(), Arc::new(draft));
        let kept = Arc::clone(&draft);
        let commit = Box::new(move |deployed: &Deployed| {
            let committed = committed.signed_as(deployed);
            if is_new { store.commit(&committed, &kept).map_err(|error| not_committed(&error)) } else { Ok(()) }
        });
        let tree = draft.tree();
        let name = app.name.clone();
        // Whoever goes back has a reason: what is gone back to is not asked how it is.
        let is_warmed = is_new && record.restores.is_none();
        let deployed = self.node.deploy_in_turn(turn, app, Base::ours(&tree, &record, is_warmed, false), commit).await;
        tokio::spawn(aside(async move { drop(draft) }));
        let deployed = deployed.map_err(|failed| DeploymentError::Refused(failed.to_string()))?;
        self.unrestored.lock().remove(&name);
        Ok(record.signed_as(&deployed))
    }

    /// Lay out what a revision consists of, and read its manifest.
    pub(crate) async fn laid_out(&self, record: Record, draft: Draft) -> Result<(Record, Draft, App), DeploymentError> {
        let (record, draft, text) = self
            .with_store(move |store| {
                let text = store.manifest(&record, Some(&draft))?;
                store.lay_out(&record, &draft)?;
                Ok((record, draft, text))
            })
            .await?;
        self.node.crash_points.passed("laid out");
        let app = self.read(&record, &draft, &text)?;
        Ok((Record { version: app.version.clone(), ..record }, draft, app))
    }

    /// Commits a revision whose contents are kept already.
    pub(crate) fn commit_kept(&self, record: Record) -> Result<Commit, DeploymentError> {
        let Plan { record, draft } = self.plan(record)?;
        let store = Arc::clone(&self.store);
        Ok(Box::new(move |_: &Deployed| store.commit(&record, &draft).map_err(|error| not_committed(&error))))
    }

    /// What the manifest of a revision describes, with its files where they are laid out.
    fn read(&self, record: &Record, draft: &Draft, text: &str) -> Result<App, DeploymentError> {
        let refused = |what: String| DeploymentError::Refused(what);
        let mut values = self.values.clone();
        values.extend(record.variables.clone());
        let reading = |values| {
            let Record { manifest, .. } = record;
            let reading =
                Reading { file: &manifest.path, values: Values::Given(values), files: None, host: Some(&self.host) };
            App::parse(text, &reading).map_err(|problems| refused(problems.to_string()))
        };
        let mut app = reading(&values)?;
        if app.name.as_str() != record.app {
            return Err(refused(format!("the manifest is of app {}, and not of {}", app.name, record.app)));
        }
        let told = app
            .variables
            .iter()
            .find(|(name, variable)| variable.secret && record.variables.contains_key(name.as_str()));
        if let Some((name, _)) = told {
            let upper = name.as_str().to_uppercase();
            return Err(refused(format!(
                "variable `{name}` is secret: its value stays on the host, and is not part of a revision; set \
                 SPIN_VARIABLE_{upper} where `hull host` is started"
            )));
        }
        for component in &mut app.components {
            if !record.components.contains_key(component.name.as_str()) {
                return Err(refused(format!("component {} of the manifest was not sent", component.name)));
            }
            component.source = Source::File(draft.component(component.name.as_str()).display().to_string());
            // How it was made is not this host's business, nor its advice.
            component.build = None;
        }
        if let Some(name) = record.components.keys().find(|name| app.component(name).is_none()) {
            return Err(refused(format!("component {name:?} was sent, and the manifest has none of that name")));
        }
        let missing = unenforced(Some(&app), &self.host);
        if missing.refused.is_empty() {
            return Ok(app);
        }
        Err(refused(format!("this version cannot do what is asked for:\n  {}", missing.refused.join("\n  "))))
    }

    /// Work on files, off the serving threads.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, DeploymentError> {
        let store = Arc::clone(&self.store);
        let done = aside(async move { work(&store) }).await;
        Ok(done.map_err(|error| DeploymentError::Storage(error.to_string()))??)
    }
}

fn not_committed(error: &StoreError) -> ComponentProblem {
    ComponentProblem { component: "revisions".to_owned(), message: error.to_string() }
}
