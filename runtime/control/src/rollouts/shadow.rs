//! The parallel run: requests that the old version has answered are given to the new one, whose answers reach nobody. They
//! are compared, and what differs is reported. It never keeps the old version waiting: copies wait in a short queue, few
//! run at once, and what does not fit, or comes while others wait, is dropped and counted.

mod compare;
mod report;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hull_dispatch::{Body, Invoke as _};
use hull_gateway::{ComponentTarget, Copies, RouteTable, Target, Watches, meant};
use hull_invocation::{Cause, Invocation, Lineage, Pinned, Player, Recorder, RequestId, Slot, Tape, TraceContext};
use hull_manifest::{App, Reuse};
use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};

use super::Running;
use super::seen::Seen;
use crate::deploy::prepare::Base;
use crate::deploy::{Deployed, Ready};
use crate::deployments::{DeploymentError, Deployments, Plan};
use crate::node::Node;
use crate::revisions::ShadowPlan;
use compare::{Answered, compare};
use report::Place;

pub(crate) use report::Report;

/// Copies that wait for their turn.
const QUEUE_MAX: usize = 64;
/// Copies that run at once.
const AT_ONCE_MAX: usize = 4;
/// An answer that is compared, in bytes.
const BODY_BYTES_MAX: usize = 256 << 10;

/// A parallel run that is under way. It ends when nobody copies any more.
pub(super) struct Shadow {
    copies: mpsc::Sender<Sample>,
    report: Arc<Mutex<Report>>,
}

/// Counts the old version's answers, and copies some of them.
pub(super) struct Copying {
    pub(super) seen: Arc<Seen>,
    pub(super) shadow: Arc<Shadow>,
}

/// What is given to the new version, with what the old one made of it.
struct Sample {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    old: Answered,
    tape: Arc<Tape>,
}

/// What the copies are given to.
struct Candidate {
    node: Arc<Node>,
    app: Arc<App>,
    routes: RouteTable<Target>,
    revision: Pinned,
    plan: ShadowPlan,
    report: Arc<Mutex<Report>>,
}

impl Shadow {
    /// Begin to give copies to these routes of this revision.
    pub(super) fn begin(node: &Arc<Node>, routes: RouteTable<Target>, tried: &Deployed, plan: ShadowPlan) -> Arc<Self> {
        let (copies, taken) = mpsc::channel(QUEUE_MAX);
        let report = Arc::new(Mutex::new(Report::default()));
        let candidate = Candidate {
            node: Arc::clone(node),
            app: Arc::clone(&tried.app),
            routes,
            revision: tried.revision.clone(),
            plan,
            report: Arc::clone(&report),
        };
        tokio::spawn(run(Arc::new(candidate), taken));
        Arc::new(Self { copies, report })
    }

    pub(super) fn report(&self) -> Report {
        self.report.lock().clone()
    }
}

impl Deployments {
    /// Give copies of requests to what is ready.
    pub(super) async fn begin_shadow(&self, ready: &Ready, plan: ShadowPlan) -> Result<Arc<Shadow>, DeploymentError> {
        let candidate = &ready.deployed;
        let table = self.node.table_with(candidate, None).await;
        let table = table.map_err(|failed| DeploymentError::Refused(failed.to_string()))?;
        Ok(Shadow::begin(&self.node, table, candidate, plan))
    }

    /// The same revision in instances of its own: those of a parallel run serve nobody else, for what they have in memory
    /// came of it. None if it was no parallel run.
    pub(super) async fn ready_anew(&self, running: &Running) -> Result<Option<Ready>, DeploymentError> {
        if running.shadow.is_none() {
            return Ok(None);
        }
        let record = running.kept.lock().record.clone();
        let Plan { record, draft } = self.plan(record)?;
        let (record, draft, parsed) = self.laid_out(record, draft).await?;
        let tree = draft.tree();
        let ready = self.node.make_ready(parsed, Base::ours(&tree, &record, true, false)).await;
        let ready = ready.map_err(|failed| DeploymentError::Refused(failed.to_string()))?;
        if let Some(tried) = &*running.ready.lock() {
            self.node.engine.retire(&tried.deployed.revision);
        }
        Ok(Some(ready))
    }
}

impl Watches for Copying {
    fn answered(&self, took: Duration, status: u16) {
        self.seen.answered(took, status);
    }

    fn copies(&self, request: &Parts) -> Option<Box<dyn Copies>> {
        if request.method != Method::GET {
            return None;
        }
        if self.shadow.copies.capacity() == 0 {
            self.shadow.report.lock().dropped += 1;
            return None;
        }
        let copy = Sample {
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers: request.headers.clone(),
            old: Answered::default(),
            tape: Arc::new(Tape::Recording(Recorder::default())),
        };
        Some(Box::new(Copier { copy, body: BytesMut::new(), is_too_large: false, shadow: Arc::clone(&self.shadow) }))
    }
}

/// Takes one copy.
struct Copier {
    copy: Sample,
    body: BytesMut,
    is_too_large: bool,
    shadow: Arc<Shadow>,
}

impl Copies for Copier {
    fn tape(&self) -> Arc<Tape> {
        Arc::clone(&self.copy.tape)
    }

    fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.copy.old.status = status.as_u16();
        self.copy.old.headers = headers.clone();
    }

    fn piece(&mut self, bytes: &Bytes) {
        self.is_too_large |= self.body.len() + bytes.len() > BODY_BYTES_MAX;
        if !self.is_too_large {
            self.body.extend_from_slice(bytes);
        }
    }

    fn done(self: Box<Self>) {
        let Self { mut copy, body, is_too_large, shadow } = *self;
        if is_too_large {
            shadow.report.lock().not_compared("the old version's answer is larger than 256 KiB");
            return;
        }
        copy.old.body = body.freeze();
        match shadow.copies.try_send(copy) {
            Err(TrySendError::Full(_)) => shadow.report.lock().dropped += 1,
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// Until nobody sends copies any more.
async fn run(candidate: Arc<Candidate>, mut copies: mpsc::Receiver<Sample>) {
    let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
    while let Some(copy) = copies.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let candidate = Arc::clone(&candidate);
        tokio::spawn(async move {
            let _place = place;
            candidate.play(copy).await;
        });
    }
}

impl Candidate {
    async fn play(&self, copy: Sample) {
        let uri = copy.uri.clone();
        let path = meant(uri.path());
        let Some(found) = path.as_ref().and_then(|path| self.routes.find(path)) else {
            self.report.lock().not_compared("the new version has no such route");
            return;
        };
        let target = match found.target() {
            Target::Component(target) => target.split.as_ref().map_or(target, |split| &*split.target),
            Target::Static(_) => {
                self.report.lock().not_compared("the new version answers it without a component");
                return;
            }
        };
        let component = self.app.component(target.id.component());
        if component.is_some_and(|component| component.hull.reuse == Reuse::Concurrent) {
            self.report.lock().not_compared("its instances serve several requests at once (reuse = \"concurrent\")");
            return;
        }
        if target.upstream.is_some() {
            self.report.lock().not_compared("an upstream answers it in the new version");
            return;
        }
        if self.is_busy(target) {
            self.report.lock().dropped += 1;
            return;
        }
        let place = Place {
            method: copy.method.to_string(),
            route: found.route().to_string(),
            target: copy.uri.to_string(),
            request_id: text(&copy.headers, "x-request-id").unwrap_or_default().to_owned(),
        };
        let old = copy.old.clone();
        let (new, reasons) = self.answer(target, copy).await;
        let mut report = self.report.lock();
        match new {
            Err(failed) => report.failed(place, &failed),
            Ok(new) if reasons.is_empty() => report.compared(&place, compare(&old, &new, &self.plan.ignore)),
            Ok(_) => reasons.iter().for_each(|reason| report.not_compared(reason)),
        }
    }

    /// Whether somebody waits for the old version, or the new one is over its share.
    fn is_busy(&self, target: &ComponentTarget) -> bool {
        let waits = self.node.dispatch.status(&target.id).is_some_and(|status| status.waiting > 0);
        waits || target.account.is_over(hull_clock::now())
    }

    /// The new version's answer, and what of its run cannot be compared.
    async fn answer(&self, target: &ComponentTarget, copy: Sample) -> (Result<Answered, String>, Vec<String>) {
        let calls = match &*copy.tape {
            Tape::Recording(recorder) => recorder.calls(),
            Tape::Playing(_) => Vec::new(),
        };
        let tape = Arc::new(Tape::Playing(Player::new(calls)));
        let lineage = Lineage::root(target.id.clone());
        lineage.frame().pin(&self.revision);
        lineage.frame().attach(Arc::clone(&tape));
        let id = |name| text(&copy.headers, name).and_then(|text| RequestId::parse(text).ok());
        let request_id = id("x-request-id").unwrap_or_else(|| RequestId::from_bytes(hull_clock::random_bytes()));
        let trace = text(&copy.headers, "traceparent").and_then(TraceContext::parse);
        let span = hull_clock::random_u64();
        let deadline = hull_clock::now() + target.time;
        let invocation = Invocation {
            target: target.id.clone(),
            cause: Cause::Http,
            deadline,
            correlation_id: id("x-correlation-id").unwrap_or_else(|| request_id.clone()),
            request_id,
            trace: match trace {
                Some(trace) => trace.child(span),
                None => TraceContext::root(hull_clock::random_bytes(), span),
            },
            lineage,
            hops: 0,
            slot: Slot::default(),
        };
        let mut request = Request::new(Body::new(Empty::new().map_err(|never| match never {})));
        *request.method_mut() = copy.method;
        *request.uri_mut() = copy.uri;
        *request.headers_mut() = copy.headers;
        // Not through the door: the old version's places are not for copies.
        let answering = async {
            let response = self.node.engine.http(invocation, request).await.map_err(|failure| failure.to_string())?;
            let (parts, body) = response.into_parts();
            let body = http_body_util::Limited::new(body, BODY_BYTES_MAX).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            Ok(Answered { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        let answered = tokio::time::timeout_at(deadline.into(), answering).await;
        let late = || Err(format!("it did not answer within {:?}", target.time));
        (answered.unwrap_or_else(|_| late()), tape.player().map(Player::reasons).unwrap_or_default())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
