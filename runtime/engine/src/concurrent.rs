//! `reuse = "concurrent"`: instances that serve many requests at once, for guests that mostly wait. An instance that
//! has nothing to do is polled right where the next request is; one that waits for something goes on as a task of its
//! own, and other requests join it.

mod desk;
mod jobs;
mod member;
mod streaming;

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hull_dispatch::Body;
use hull_invocation::{ComponentId, Failure, Invocation, Resource};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use crate::deploy::Version;
use crate::registry::Shared;
use crate::response;
use desk::{Desk, Job};
use member::{Member, Polled};

/// What a client is told to wait when all instances have as many waiting as they may.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often an instance is polled in place while it makes progress; whoever has more to do goes on as a task.
const POLLS_IN_PLACE_MAX: usize = 8;

/// The instances of one version.
pub(crate) struct Crew {
    members_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Member>,
    busy: Vec<Arc<Desk>>,
    /// The version serves no more: nobody becomes idle again.
    dismissed: bool,
}

impl Crew {
    /// As many instances as threads that can run them.
    pub(crate) fn new() -> Self {
        let members_max = std::thread::available_parallelism().map_or(1, usize::from);
        Self { members_max, state: Mutex::default() }
    }

    /// Let go of every instance that is idle; the others end when they are.
    pub(crate) fn dismiss(&self) {
        let mut state = self.state.lock();
        state.dismissed = true;
        state.busy.iter().for_each(|desk| desk.retire());
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
    }

    /// Let go of every instance that is idle; how many there were.
    pub(crate) fn let_go_idle(&self) -> usize {
        let idle = std::mem::take(&mut self.state.lock().idle);
        idle.len()
    }

    /// Give the job to an instance. The member that comes back is to be polled in place.
    fn assign(&self, mut job: Job, hire: impl FnOnce() -> Member) -> Option<(Arc<Desk>, Option<Member>)> {
        let mut state = self.state.lock();
        while let Some(member) = state.idle.pop() {
            let desk = Arc::clone(member.desk());
            match desk.put(job) {
                Ok(()) => {
                    state.busy.push(Arc::clone(&desk));
                    return Some((desk, Some(member)));
                }
                Err(returned) => job = returned,
            }
        }
        let mut open: Vec<_> = state.busy.iter().filter(|desk| !desk.is_retiring()).cloned().collect();
        if open.len() >= self.members_max {
            open.sort_by_key(|desk| desk.load());
            for desk in open {
                match desk.put(job) {
                    Ok(()) => return Some((desk, None)),
                    Err(returned) => job = returned,
                }
            }
            return None;
        }
        let member = hire();
        let desk = Arc::clone(member.desk());
        desk.put(job).ok()?;
        state.busy.push(Arc::clone(&desk));
        Some((desk, Some(member)))
    }

    /// Take a member that has nothing to do, unless a job came in this moment: then it is given back.
    fn rest(&self, member: Member) -> Option<Member> {
        let mut state = self.state.lock();
        if member.desk().load() > 0 {
            return Some(member);
        }
        state.busy.retain(|desk| !Arc::ptr_eq(desk, member.desk()));
        if !state.dismissed && !member.desk().is_retiring() {
            state.idle.push(member);
        }
        None
    }

    fn strike(&self, desk: &Arc<Desk>) {
        self.state.lock().busy.retain(|other| !Arc::ptr_eq(other, desk));
    }
}

/// Serve one request.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    version: Arc<Version>,
    invocation: Invocation,
    request: http::Request<WasiBody>,
) -> Result<http::Response<Body>, Failure> {
    let began = hull_clock::now();
    let component = invocation.target.clone();
    let deadline = invocation.deadline;
    let slot = invocation.slot.clone();
    let (sender, mut head) = oneshot::channel();
    let hire = {
        let first = Invocation { slot: hull_invocation::Slot::default(), ..invocation.clone() };
        || Member::hire(Arc::clone(shared), Arc::clone(&version), first)
    };
    let job = Job { invocation, request, head: sender };
    let (desk, member) = version.crew.assign(job, hire).ok_or_else(|| Failure::Shed {
        component: component.clone(),
        resource: Resource::Host,
        retry_after: RETRY_AFTER,
    })?;
    match member {
        Some(member) if version.account.may_run_in_place(began) => poll_in_place(&version, member),
        Some(member) => queue(&version, member),
        None => {}
    }
    let head = match head.try_recv() {
        Ok(head) => head,
        Err(oneshot::error::TryRecvError::Closed) => return Err(no_head(&desk, component, began, deadline).await),
        Err(oneshot::error::TryRecvError::Empty) => {
            let waited = tokio::time::timeout_at(deadline.into(), head).await;
            match waited {
                Ok(Ok(head)) => head,
                _ => return Err(no_head(&desk, component, began, deadline).await),
            }
        }
    };
    let response = head.map_err(|message| Failure::NoResponse { component: component.clone(), message })?;
    let (parts, body) = response.into_parts();
    let body = response::body_of(component.clone(), body, desk.cut().clone());
    Ok(http::Response::from_parts(parts, streaming::body_of(body, component, slot, began, deadline)))
}

/// Why there is no answer. The job ends itself at the same deadline, and may be first.
async fn no_head(desk: &Desk, component: ComponentId, began: Instant, deadline: Instant) -> Failure {
    if hull_clock::now() >= deadline {
        // What it is stuck in cannot be taken out of it: it gets no more jobs, and ends with its others.
        desk.retire();
        let after = deadline.saturating_duration_since(began);
        return Failure::DeadlineExceeded { component, after };
    }
    let message = "its instance ended".to_owned();
    desk.ended().await.unwrap_or(Failure::NoResponse { component, message })
}

fn poll_in_place(version: &Arc<Version>, mut member: Member) {
    let place = Place::of(version, &member);
    for _ in 0..POLLS_IN_PLACE_MAX {
        let polled = member.poll_once();
        version.account.charge_in_place(hull_clock::now(), member.took());
        if member.ticked() && version.account.must_leave() && polled == Polled::Progressing {
            place.keep();
            return queue(version, member);
        }
        match polled {
            Polled::Ended => return,
            Polled::Idle => {
                place.keep();
                if let Some(member) = version.crew.rest(member) {
                    tokio::spawn(attend(Arc::clone(version), member));
                }
                return;
            }
            Polled::Progressing => {}
            Polled::Waiting => break,
        }
    }
    place.keep();
    tokio::spawn(attend(Arc::clone(version), member));
}

/// Have it go on in the run queue.
fn queue(version: &Arc<Version>, member: Member) {
    version.account.run(go_on(Arc::clone(version), member)).detach();
}

/// Until it is idle. On a serving thread it stays until the tick shows that it is not quick.
async fn attend(version: Arc<Version>, mut member: Member) {
    let place = Place::of(&version, &member);
    loop {
        let polled = std::future::poll_fn(|cx| {
            let polled = member.poll(cx);
            version.account.charge_in_place(hull_clock::now(), member.took());
            match polled {
                Poll::Ready(polled) => Poll::Ready(polled),
                Poll::Pending if member.ticked() && version.account.must_leave() => Poll::Ready(Polled::Progressing),
                Poll::Pending => Poll::Pending,
            }
        });
        match polled.await {
            Polled::Idle => match version.crew.rest(member) {
                Some(returned) => member = returned,
                None => return place.keep(),
            },
            Polled::Progressing => {
                place.keep();
                return queue(&version, member);
            }
            Polled::Waiting | Polled::Ended => return,
        }
        tokio::task::yield_now().await;
    }
}

/// Until it is idle, in the run queue.
async fn go_on(version: Arc<Version>, mut member: Member) {
    let place = Place::of(&version, &member);
    loop {
        if std::future::poll_fn(|cx| member.poll(cx)).await != Polled::Idle {
            return;
        }
        match version.crew.rest(member) {
            Some(returned) => member = returned,
            None => return place.keep(),
        }
        tokio::task::yield_now().await;
    }
}

/// A member's place among the busy ones, given back also when polling it panics.
struct Place {
    version: Arc<Version>,
    desk: Arc<Desk>,
    kept: bool,
}

impl Place {
    fn of(version: &Arc<Version>, member: &Member) -> Self {
        Self { version: Arc::clone(version), desk: Arc::clone(member.desk()), kept: false }
    }

    /// It is taken care of elsewhere.
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            self.desk.end(None);
            self.version.crew.strike(&self.desk);
        }
    }
}
