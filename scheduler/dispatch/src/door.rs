//! The door: every invocation passes here, whatever started it. Deadline, compartment, guest, outcome.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http_body_util::{BodyExt, Limited};
use hull_invocation::{Cause, ComponentId, CountRejected, Event, EventOutcome, Failure, Invocation, Resource, Slot};

use crate::compartment::{Compartment, CompartmentStatus};
use crate::invoke::{Body, BodyError, Invoke};

/// What the door knows of a component.
#[derive(Clone)]
pub struct Admission {
    /// Where it has its places; shared with the other members of its bulkhead.
    pub compartment: Arc<Compartment>,
    /// Its own bound on invocations at once, within the compartment and also for calls that ride on their caller's
    /// place in it.
    pub concurrency: Arc<Compartment>,
    /// `limits.body-in-max`, in bytes: the gateway holds requests to it, the door calls.
    pub body_in_bytes_max: u64,
    /// `limits.time`: the longest deadline that an invocation of it gets.
    pub time: Duration,
    /// Who counts its invocations.
    pub observer: Arc<dyn Observer>,
}

/// Hears of one component's invocations. Called on the serving threads: it must not block.
pub trait Observer: CountRejected {
    /// One was admitted.
    fn admitted(&self);
    /// One that was admitted has ended (for HTTP: its answer has begun), or was dropped by its caller.
    fn ended(&self, cause: Cause, outcome: Result<(), &Failure>);
    /// One was not admitted.
    fn refused(&self, cause: Cause, failure: &Failure);
}

/// The one door to every guest.
pub struct Dispatch {
    guests: Arc<dyn Invoke>,
    components: ArcSwap<HashMap<ComponentId, Admission>>,
}

/// What a client is told to wait when a compartment is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Dispatch {
    /// A door to `guests` that lets nobody in until [`Dispatch::admit`] has been called.
    pub fn new(guests: Arc<dyn Invoke>) -> Self {
        Self { guests, components: ArcSwap::default() }
    }

    /// Set the admissions of an app, in place of what it had. Invocations that are inside stay inside.
    pub fn admit(&self, app: &str, admissions: impl IntoIterator<Item = (ComponentId, Admission)>) {
        let fresh: Vec<_> = admissions.into_iter().collect();
        self.components.rcu(|components| {
            let mut next = HashMap::clone(components);
            next.retain(|id, _| id.app() != app);
            next.extend(fresh.iter().cloned());
            next
        });
    }

    /// Let in these as well, whatever else of their app is admitted.
    pub fn admit_also(&self, admissions: impl IntoIterator<Item = (ComponentId, Admission)>) {
        let more: Vec<_> = admissions.into_iter().collect();
        self.components.rcu(|components| {
            let mut next = HashMap::clone(components);
            next.extend(more.iter().cloned());
            next
        });
    }

    /// What is known of a component.
    pub fn admission_of(&self, component: &ComponentId) -> Option<Admission> {
        self.components.load().get(component).cloned()
    }

    /// The compartment of a component.
    pub fn status(&self, component: &ComponentId) -> Option<CompartmentStatus> {
        self.components.load().get(component).map(|admission| admission.compartment.status())
    }

    /// What is known of the component, and whether its caller's place is its own as well: a full compartment must
    /// not wait for itself, so its members call each other on the caller's place.
    fn admission(&self, invocation: &Invocation) -> Result<(Admission, bool), Failure> {
        let components = self.components.load();
        let target = components.get(&invocation.target);
        let admission = target.cloned().ok_or_else(|| Failure::UnknownComponent(invocation.target.clone()))?;
        let caller = invocation.lineage.frame().caller().and_then(|caller| components.get(caller));
        let rides = caller.is_some_and(|caller| Arc::ptr_eq(&caller.compartment, &admission.compartment));
        Ok((admission, rides))
    }

    /// Let it in, or say why not. Its deadline and its slot are set.
    async fn enter(&self, mut invocation: Invocation) -> Result<Admitted, Failure> {
        let (admission, rides) = self.admission(&invocation)?;
        let now = hull_clock::now();
        if let Some(latest) = now.checked_add(admission.time) {
            invocation.deadline = invocation.deadline.min(latest);
        }
        let cause = invocation.cause;
        match places(&admission, rides, now, &invocation).await {
            Ok(slot) => {
                invocation.slot = slot;
                admission.observer.admitted();
                let Admission { body_in_bytes_max, observer, .. } = admission;
                let (component, deadline) = (invocation.target.clone(), invocation.deadline);
                let watch = Watch { observer, cause, component, entered: now, deadline, ended: false };
                Ok(Admitted { invocation, body_in_bytes_max, watch })
            }
            Err(failure) => {
                admission.observer.refused(cause, &failure);
                Err(failure)
            }
        }
    }
}

/// The places that an invocation needs: in its compartment, and within its component's own bound.
async fn places(admission: &Admission, rides: bool, now: Instant, invocation: &Invocation) -> Result<Slot, Failure> {
    let component = &invocation.target;
    let deadline = invocation.deadline;
    if deadline <= now {
        return Err(Failure::DeadlineExceeded { component: component.clone(), after: Duration::ZERO });
    }
    let enter = async |compartment: &Arc<Compartment>| {
        let shed = || {
            let resource = compartment.bound();
            Failure::Shed { component: component.clone(), resource, retry_after: RETRY_AFTER }
        };
        compartment.enter(now, deadline).await.ok_or_else(shed)
    };
    let outer = if rides { None } else { Some(enter(&admission.compartment).await?) };
    let inner = enter(&admission.concurrency).await?;
    // Given back in this order: whoever is let into the compartment finds a place within the component's own bound.
    Ok(Slot::holding((inner, outer)))
}

fn limited(body: Body, limit_bytes: u64, observer: &Arc<dyn Observer>) -> Body {
    let most = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    let mut observer = Some(Arc::clone(observer));
    let failed = move |error: Box<dyn std::error::Error + Send + Sync>| {
        if let Ok(error) = error.downcast::<BodyError>() {
            return *error;
        }
        // Counted once, however often it is read on.
        if let Some(observer) = observer.take() {
            observer.rejected(Resource::BodyIn);
        }
        BodyError::TooLarge { limit_bytes }
    };
    Limited::new(body, most).map_err(failed).boxed_unsync()
}

struct Admitted {
    invocation: Invocation,
    body_in_bytes_max: u64,
    watch: Watch,
}

/// Tells the observer of the end exactly once, also when the caller goes away.
struct Watch {
    observer: Arc<dyn Observer>,
    cause: Cause,
    component: ComponentId,
    entered: Instant,
    deadline: Instant,
    ended: bool,
}

impl Watch {
    fn end<T>(mut self, result: &Result<T, Failure>) {
        self.ended = true;
        self.observer.ended(self.cause, result.as_ref().map(|_| ()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Whoever waits gives up at the deadline too, and may be first.
        let failure = if hull_clock::now() >= self.deadline {
            let after = self.deadline.saturating_duration_since(self.entered);
            Failure::DeadlineExceeded { component: self.component.clone(), after }
        } else {
            Failure::Cancelled
        };
        self.observer.ended(self.cause, Err(&failure));
    }
}

impl Dispatch {
    /// One HTTP request that somebody else answers than the guests: an upstream is admitted like a component.
    pub async fn http_by(
        &self,
        answers: &dyn Invoke,
        invocation: Invocation,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Failure> {
        let Admitted { invocation, body_in_bytes_max, watch } = self.enter(invocation).await?;
        let request = match invocation.cause {
            Cause::Call => request.map(|body| limited(body, body_in_bytes_max, &watch.observer)),
            Cause::Http | Cause::Event => request,
        };
        let result = answers.http(invocation, request).await;
        watch.end(&result);
        result
    }
}

#[async_trait]
impl Invoke for Dispatch {
    async fn http(
        &self,
        invocation: Invocation,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Failure> {
        self.http_by(&*self.guests, invocation, request).await
    }

    async fn event(
        &self,
        invocation: Invocation,
        event: Event,
        attempt: u32,
        expects_reply: bool,
    ) -> Result<EventOutcome, Failure> {
        let Admitted { invocation, watch, .. } = self.enter(invocation).await?;
        let result = self.guests.event(invocation, event, attempt, expects_reply).await;
        watch.end(&result);
        result
    }
}
