//! The async shell around a bulkhead: wakes who is admitted, and gives places back when they are dropped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use hull_admission::{Arrival, Bulkhead, BulkheadLimits, Ticket};
use hull_invocation::Resource;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A bulkhead that several components may share.
pub struct Compartment {
    name: String,
    opened: Instant,
    state: Mutex<State>,
}

struct State {
    bound: Resource,
    bulkhead: Bulkhead,
    waking: HashMap<Ticket, oneshot::Sender<Place>>,
    shed: u64,
}

/// What a compartment is used for at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompartmentStatus {
    /// Its name in the manifest, or the component's.
    pub name: String,
    /// Inside now.
    pub inside: u32,
    /// Waiting now.
    pub waiting: usize,
    /// Turned away since the start.
    pub shed: u64,
    /// The bounds.
    pub limits: BulkheadLimits,
}

/// A place inside; dropping it lets the next one in.
pub(crate) struct Place {
    compartment: Arc<Compartment>,
}

impl Compartment {
    /// An empty one. `bound` is what those are told is at its bound who are turned away.
    pub fn new(name: impl Into<String>, limits: BulkheadLimits, bound: Resource) -> Arc<Self> {
        let state = State { bound, bulkhead: Bulkhead::new(limits), waking: HashMap::new(), shed: 0 };
        Arc::new(Self { name: name.into(), opened: hull_clock::now(), state: Mutex::new(state) })
    }

    /// Other bounds from now on. Whoever is inside stays and counts: a compartment that outlives a deployment holds no
    /// more in all than it may.
    pub fn set_limits(self: &Arc<Self>, limits: BulkheadLimits, bound: Resource) {
        let now = hull_clock::now();
        let mut state = self.state.lock();
        state.bound = bound;
        state.bulkhead.set_limits(limits);
        let mut woken = Vec::new();
        while let Some(ticket) = state.bulkhead.on_room(now) {
            woken.push((state.waking.remove(&ticket), Place { compartment: Arc::clone(self) }));
        }
        drop(state);
        for (waker, place) in woken {
            if let Some(waker) = waker {
                let _ = waker.send(place);
            }
        }
    }

    pub(crate) fn bound(&self) -> Resource {
        self.state.lock().bound
    }

    /// What it is used for at the moment.
    pub fn status(&self) -> CompartmentStatus {
        let state = self.state.lock();
        CompartmentStatus {
            name: self.name.clone(),
            inside: state.bulkhead.inside(),
            waiting: state.bulkhead.waiting(),
            shed: state.shed,
            limits: state.bulkhead.limits(),
        }
    }

    /// A place, at once or after waiting; `None` when there is none to be had. Dropping the future leaves the queue.
    pub(crate) async fn enter(self: &Arc<Self>, now: Instant, deadline: Instant) -> Option<Place> {
        let (ticket, until, mut woken) = {
            let mut state = self.state.lock();
            match state.bulkhead.on_arrive(now, deadline) {
                Arrival::Admitted => return Some(Place { compartment: Arc::clone(self) }),
                Arrival::Shed => {
                    state.shed += 1;
                    return None;
                }
                Arrival::Queued(ticket, until) => {
                    let (waker, woken) = oneshot::channel();
                    state.waking.insert(ticket, waker);
                    (ticket, until, woken)
                }
            }
        };
        let _leaves = LeaveQueue { compartment: self, ticket };
        if let Ok(place) = tokio::time::timeout_at(until.into(), &mut woken).await {
            return place.ok();
        }
        // It may have been admitted in this very moment.
        let place = woken.try_recv().ok();
        self.state.lock().shed += u64::from(place.is_none());
        place
    }

    fn leave(self: &Arc<Self>) {
        let mut state = self.state.lock();
        // The time matters only to those who wait.
        let now = if state.bulkhead.waiting() == 0 { self.opened } else { hull_clock::now() };
        let Some(ticket) = state.bulkhead.on_leave(now) else { return };
        let waker = state.waking.remove(&ticket);
        drop(state);
        let place = Place { compartment: Arc::clone(self) };
        // Whoever has stopped waiting in this moment drops the place, and the next one gets it.
        if let Some(waker) = waker {
            let _ = waker.send(place);
        }
    }
}

struct LeaveQueue<'a> {
    compartment: &'a Compartment,
    ticket: Ticket,
}

impl Drop for LeaveQueue<'_> {
    fn drop(&mut self) {
        let mut state = self.compartment.state.lock();
        state.bulkhead.on_give_up(self.ticket);
        state.waking.remove(&self.ticket);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.compartment.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use hull_admission::BulkheadLimits;
    use hull_invocation::Resource;

    use super::Compartment;

    fn compartment(concurrency_max: u32, queue_max: u32, wait_ms: u64) -> Arc<Compartment> {
        let queue_wait_max = Duration::from_millis(wait_ms);
        let limits = BulkheadLimits { concurrency_max, queue_max, queue_wait_max };
        Compartment::new("test", limits, Resource::Queue)
    }

    #[tokio::test]
    async fn full_is_an_answer_and_not_a_wait() {
        let compartment = compartment(1, 0, 1000);
        let now = hull_clock::now();
        let place = compartment.enter(now, now + Duration::from_secs(1)).await;
        assert!(place.is_some());
        assert!(compartment.enter(now, now + Duration::from_secs(1)).await.is_none());
        assert_eq!(compartment.status().shed, 1);
        drop(place);
        assert!(compartment.enter(now, now + Duration::from_secs(1)).await.is_some());
    }

    #[tokio::test]
    async fn other_bounds_count_those_who_are_inside() {
        let compartment = compartment(2, 4, 60_000);
        let now = hull_clock::now();
        let deadline = now + Duration::from_secs(9);
        let first = compartment.enter(now, deadline).await;
        let second = compartment.enter(now, deadline).await;
        assert!(first.is_some() && second.is_some());
        let waits = tokio::spawn({
            let compartment = Arc::clone(&compartment);
            async move { compartment.enter(now, deadline).await.is_some() }
        });
        while compartment.status().waiting == 0 {
            tokio::task::yield_now().await;
        }
        let narrow = BulkheadLimits { concurrency_max: 1, queue_max: 0, queue_wait_max: Duration::ZERO };
        compartment.set_limits(narrow, Resource::Bulkhead);
        drop(first);
        assert_eq!((compartment.status().inside, compartment.status().waiting), (1, 1), "nobody is let in");
        assert!(compartment.enter(now, deadline).await.is_none(), "and nobody waits any more");
        compartment.set_limits(BulkheadLimits { concurrency_max: 2, ..narrow }, Resource::Bulkhead);
        assert!(waits.await.expect("it ends"), "whoever waited is let in as soon as there is room");
        drop(second);
        assert_eq!(compartment.status().inside, 0);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_bound_and_leaves_nothing_behind() {
        let compartment = compartment(1, 4, 20);
        let now = hull_clock::now();
        let _place = compartment.enter(now, now + Duration::from_secs(9)).await;
        assert!(compartment.enter(now, now + Duration::from_secs(9)).await.is_none());
        assert_eq!((compartment.status().inside, compartment.status().waiting), (1, 0));
        assert!(compartment.state.lock().waking.is_empty());
    }

    /// Hundreds come, wait, get in, or give up half-way: never more inside than the bound, and none left at the end.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_place_is_lost_when_waiters_vanish() {
        let compartment = compartment(4, 1000, 5_000);
        let inside = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..400_u64)
            .map(|number| {
                let compartment = Arc::clone(&compartment);
                let inside = Arc::clone(&inside);
                tokio::spawn(async move {
                    let now = hull_clock::now();
                    let entering = compartment.enter(now, now + Duration::from_secs(30));
                    let patience = Duration::from_millis(1 + number % 7);
                    let place = if number % 3 == 0 {
                        tokio::time::timeout(patience, entering).await.ok().flatten()
                    } else {
                        entering.await
                    };
                    if let Some(_place) = place {
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 4);
                        tokio::task::yield_now().await;
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        let status = compartment.status();
        assert_eq!((status.inside, status.waiting), (0, 0));
    }
}
