//! `reuse = "concurrent"`: instances that serve many requests at once, for guests that mostly wait. An instance that
//! has nothing to do is polled right where the next request is; one that waits for something goes on as a task of its
//! own, and other requests join it.

mod member;

use std::sync::Arc;

use hull_dispatch::Body;
use hull_invocation::{Failure, Invocation, Resource};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use crate::deploy::Version;
use crate::registry::Shared;
use crate::response::{Head, body_of};
use member::{Desk, Member, Polled};

/// Requests that may wait for one instance.
const JOBS_MAX: usize = 256;
/// What a client is told to wait when all instances have that many waiting.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

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

/// One request for an instance.
pub(crate) struct Job {
    pub(crate) invocation: Invocation,
    pub(crate) request: http::Request<WasiBody>,
    pub(crate) head: oneshot::Sender<Head>,
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

    /// Give the job to an instance. The member that comes back is to be polled in place.
    fn assign(&self, job: Job, hire: impl FnOnce() -> Member) -> Result<(Arc<Desk>, Option<Member>), Job> {
        let mut state = self.state.lock();
        let member = match state.idle.pop() {
            Some(member) => Some(member),
            None if state.busy.iter().filter(|desk| !desk.is_retiring()).count() < self.members_max => Some(hire()),
            None => None,
        };
        let desk = match &member {
            Some(member) => Arc::clone(member.desk()),
            None => {
                let open = state.busy.iter().filter(|desk| !desk.is_retiring());
                match open.min_by_key(|desk| desk.load()) {
                    Some(desk) => Arc::clone(desk),
                    None => return Err(job),
                }
            }
        };
        desk.put(job)?;
        if member.is_some() {
            state.busy.push(Arc::clone(&desk));
        }
        Ok((desk, member))
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
    shared: &Shared,
    version: Arc<Version>,
    invocation: Invocation,
    request: http::Request<WasiBody>,
) -> Result<http::Response<Body>, Failure> {
    let component = invocation.target.clone();
    let deadline = invocation.deadline;
    let (sender, mut head) = oneshot::channel();
    let first = invocation.clone();
    let job = Job { invocation, request, head: sender };
    let hire = || Member::hire(Arc::clone(shared.ticker.pulse()), Arc::clone(&version), first);
    let (desk, member) = version.crew.assign(job, hire).map_err(|_| Failure::Shed {
        component: component.clone(),
        resource: Resource::Host,
        retry_after: RETRY_AFTER,
    })?;
    if let Some(member) = member {
        poll_in_place(&version, member);
    }
    let answered = match head.try_recv() {
        Ok(head) => Some(head),
        Err(_) => match tokio::time::timeout_at(deadline.into(), head).await {
            Ok(head) => head.ok(),
            Err(_) => {
                // What it is stuck in cannot be taken out of it: it gets no more jobs, and ends with its others.
                desk.retire();
                let after = deadline.saturating_duration_since(hull_clock::now());
                return Err(Failure::DeadlineExceeded { component, after });
            }
        },
    };
    let no_response = |message: String| Failure::NoResponse { component: component.clone(), message };
    let ended = || desk.failure().unwrap_or_else(|| no_response("its instance ended".to_owned()));
    let response = answered.ok_or_else(ended)?.map_err(no_response)?;
    let (parts, body) = response.into_parts();
    Ok(http::Response::from_parts(parts, body_of(component, body)))
}

/// Once; whoever has more to do than that goes on as a task.
fn poll_in_place(version: &Arc<Version>, mut member: Member) {
    let place = Place::of(version, &member);
    let polled = member.poll_once();
    place.keep();
    match polled {
        Polled::Ended => version.crew.strike(member.desk()),
        Polled::Idle => {
            if let Some(member) = version.crew.rest(member) {
                tokio::spawn(go_on(Arc::clone(version), member));
            }
        }
        Polled::Busy => {
            tokio::spawn(go_on(Arc::clone(version), member));
        }
    }
}

async fn go_on(version: Arc<Version>, mut member: Member) {
    let place = Place::of(&version, &member);
    loop {
        match std::future::poll_fn(|cx| member.poll(cx)).await {
            Polled::Idle => match version.crew.rest(member) {
                Some(returned) => member = returned,
                None => return place.keep(),
            },
            Polled::Ended | Polled::Busy => return,
        }
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
            self.desk.retire();
            self.version.crew.strike(&self.desk);
        }
    }
}
