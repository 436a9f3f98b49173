//! The door: every invocation passes here, whatever started it. Deadline, compartment, guest, outcome.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hull_invocation::{Cause, ComponentId, Event, EventOutcome, Failure, Invocation, Resource, Slot};

use crate::compartment::{Compartment, CompartmentStatus};
use crate::invoke::{Body, Invoke};

/// What the door knows of a component.
#[derive(Clone)]
pub struct Admission {
    /// Where it has its places; shared with the other members of its bulkhead.
    pub compartment: Arc<Compartment>,
    /// Its own bound on invocations at once, within the compartment. `None` where the compartment is its own.
    pub concurrency: Option<Arc<Compartment>>,
    /// `limits.time`: the longest deadline that an invocation of it gets.
    pub time: Duration,
}

/// Hears how invocations end. Called on the serving threads: it must not block.
pub trait Observer: Send + Sync + 'static {
    /// An invocation has ended (for HTTP: its answer has begun). `outcome` is `"ok"` or a failure's kind.
    fn invocation_ended(&self, component: &ComponentId, cause: Cause, outcome: &'static str, took: Duration);
}

/// The one door to every guest.
pub struct Dispatch {
    guests: Arc<dyn Invoke>,
    observer: Arc<dyn Observer>,
    components: ArcSwap<HashMap<ComponentId, Admission>>,
}

/// What a client is told to wait when a compartment is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Dispatch {
    /// A door to `guests` that lets nobody in until [`Dispatch::admit`] has been called.
    pub fn new(guests: Arc<dyn Invoke>, observer: Arc<dyn Observer>) -> Self {
        Self { guests, observer, components: ArcSwap::default() }
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

    /// The compartment of a component.
    pub fn status(&self, component: &ComponentId) -> Option<CompartmentStatus> {
        self.components.load().get(component).map(|admission| admission.compartment.status())
    }

    /// Let it in, or say why not. Its deadline and its slot are set.
    async fn enter(&self, now: Instant, mut invocation: Invocation) -> Result<Invocation, Failure> {
        let component = &invocation.target;
        let (admission, rides) = {
            let components = self.components.load();
            let admission = components.get(component).cloned();
            let admission = admission.ok_or_else(|| Failure::UnknownComponent(component.clone()))?;
            let caller = invocation.lineage.frame().caller().and_then(|caller| components.get(caller));
            // A full compartment must not wait for itself: its members call each other on the caller's place.
            let rides = caller.is_some_and(|caller| Arc::ptr_eq(&caller.compartment, &admission.compartment));
            (admission, rides)
        };
        if let Some(latest) = now.checked_add(admission.time) {
            invocation.deadline = invocation.deadline.min(latest);
        }
        if invocation.deadline <= now {
            return Err(Failure::DeadlineExceeded { component: component.clone(), after: Duration::ZERO });
        }
        let shed = |resource| Failure::Shed { component: component.clone(), resource, retry_after: RETRY_AFTER };
        let deadline = invocation.deadline;
        let outer = match rides {
            true => None,
            false => Some(
                admission.compartment.enter(now, deadline).await.ok_or_else(|| shed(Resource::Bulkhead))?,
            ),
        };
        let inner = match &admission.concurrency {
            None => None,
            Some(own) => Some(own.enter(now, deadline).await.ok_or_else(|| shed(Resource::Concurrency))?),
        };
        invocation.slot = Slot::holding((outer, inner));
        Ok(invocation)
    }

    fn observe<T>(&self, component: &ComponentId, cause: Cause, began: Instant, result: &Result<T, Failure>) {
        let outcome = result.as_ref().err().map_or("ok", Failure::kind);
        let took = hull_clock::now().saturating_duration_since(began);
        self.observer.invocation_ended(component, cause, outcome, took);
    }
}

#[async_trait]
impl Invoke for Dispatch {
    async fn http(
        &self,
        invocation: Invocation,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Failure> {
        let began = hull_clock::now();
        let (component, cause) = (invocation.target.clone(), invocation.cause);
        let result = match self.enter(began, invocation).await {
            Ok(invocation) => self.guests.http(invocation, request).await,
            Err(failure) => Err(failure),
        };
        self.observe(&component, cause, began, &result);
        result
    }

    async fn event(
        &self,
        invocation: Invocation,
        event: Event,
        attempt: u32,
        expects_reply: bool,
    ) -> Result<EventOutcome, Failure> {
        let began = hull_clock::now();
        let (component, cause) = (invocation.target.clone(), invocation.cause);
        let result = match self.enter(began, invocation).await {
            Ok(invocation) => self.guests.event(invocation, event, attempt, expects_reply).await,
            Err(failure) => Err(failure),
        };
        self.observe(&component, cause, began, &result);
        result
    }
}
