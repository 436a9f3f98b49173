//! Where a component's work comes from: a durable consumer or a responder for each of its patterns, opened again when
//! the bus has failed it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, select_all};
use hull_bus::{Bus, BusError, Consumer, ConsumerSpec, Delivery, Request, Responder};
use hull_invocation::ComponentId;
use tokio::task::JoinSet;
use tracing::warn;

use crate::backoff::Backoff;
use crate::config::Subscription;

/// How many events of one consumer may be out or wait for another attempt.
const IN_FLIGHT_MAX: usize = 1024;

/// What came.
pub(crate) enum Work {
    /// Events of a subscription.
    Deliveries(Arc<Subscription>, Vec<Delivery>),
    /// A request.
    Request(Request),
    /// Nothing will come any more.
    Closed,
}

/// One pattern's consumer, or its responder.
pub(crate) struct Source {
    bus: Arc<dyn Bus>,
    component: ComponentId,
    subscription: Arc<Subscription>,
    kind: Kind,
    tap: Option<Tap>,
    /// At most one task, ended with this: `next` is dropped whenever another source was first, and an opening that
    /// began anew each time would never end beside one that always has work.
    opening: JoinSet<Result<Tap, BusError>>,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

#[derive(Clone, Copy)]
enum Kind {
    Events,
    Requests,
}

enum Tap {
    Events(Box<dyn Consumer>),
    Requests(Box<dyn Responder>),
}

impl Source {
    /// The events of a subscription.
    pub(crate) fn events(bus: Arc<dyn Bus>, component: ComponentId, subscription: Arc<Subscription>) -> Self {
        Self::new(bus, component, subscription, Kind::Events)
    }

    /// The requests to a subscription's subjects.
    pub(crate) fn requests(bus: Arc<dyn Bus>, component: ComponentId, subscription: Arc<Subscription>) -> Self {
        Self::new(bus, component, subscription, Kind::Requests)
    }

    fn new(bus: Arc<dyn Bus>, component: ComponentId, subscription: Arc<Subscription>, kind: Kind) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        Self { bus, component, subscription, kind, tap: None, opening: JoinSet::new(), retry_at: None, backoff }
    }

    /// Open it, if it is not. A failure is logged and tried again by `next`. Cancelled, it goes on by itself.
    pub(crate) async fn open(&mut self) -> Result<(), BusError> {
        if self.tap.is_some() {
            return Ok(());
        }
        if self.opening.is_empty() {
            let (bus, component, subscription) =
                (Arc::clone(&self.bus), self.component.clone(), Arc::clone(&self.subscription));
            self.opening.spawn(opened(bus, component, subscription, self.kind));
        }
        let opened = match self.opening.join_next().await {
            Some(Ok(opened)) => opened,
            // It panicked, and the panic is in the log.
            Some(Err(_)) | None => Err(BusError::Unavailable {
                app: self.component.app().to_owned(),
                reason: format!("opening {} failed inside the host", self.subscription.pattern),
            }),
        };
        match opened {
            Ok(tap) => {
                self.tap = Some(tap);
                Ok(())
            }
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        }
    }

    /// The next work, at most `max` events of it. Cancelling loses nothing.
    pub(crate) async fn next(&mut self, max: usize) -> Work {
        loop {
            if let Some(at) = self.retry_at {
                tokio::time::sleep_until(at.into()).await;
                self.retry_at = None;
            }
            match self.open().await {
                Ok(()) => {}
                Err(BusError::Closed) => return Work::Closed,
                Err(_) => continue,
            }
            let came = match &mut self.tap {
                Some(Tap::Events(consumer)) => {
                    let fetched = consumer.fetch(max).await;
                    fetched.map(|deliveries| Work::Deliveries(Arc::clone(&self.subscription), deliveries))
                }
                Some(Tap::Requests(responder)) => responder.next().await.map(Work::Request),
                None => continue,
            };
            match came {
                Ok(work) => {
                    self.backoff.reset();
                    return work;
                }
                Err(BusError::Closed) => return Work::Closed,
                Err(error) => self.failed(&error),
            }
        }
    }

    fn failed(&mut self, error: &BusError) {
        let delay = self.backoff.next(hull_clock::random_u64());
        let (component, pattern) = (&self.component, &self.subscription.pattern);
        warn!(%component, %pattern, %error, ?delay, "the bus gives no events; trying again");
        self.tap = None;
        self.retry_at = Some(hull_clock::now() + delay);
    }
}

async fn opened(
    bus: Arc<dyn Bus>,
    component: ComponentId,
    subscription: Arc<Subscription>,
    kind: Kind,
) -> Result<Tap, BusError> {
    let (app, name) = (component.app(), component.component());
    match kind {
        Kind::Events => {
            let delivery = &subscription.delivery;
            let spec = ConsumerSpec {
                app: app.to_owned(),
                component: name.to_owned(),
                pattern: subscription.pattern.clone(),
                ack_wait: delivery.ack_wait,
                ordered: delivery.ordered,
                start: delivery.start,
                max_in_flight: IN_FLIGHT_MAX,
            };
            bus.consumer(spec).await.map(Tap::Events)
        }
        Kind::Requests => bus.responder(app, name, &subscription.pattern).await.map(Tap::Requests),
    }
}

/// The first work of any source. The sources take turns in being asked first, so that none of them starves.
pub(crate) async fn next_of(sources: &mut [Source], max: usize) -> Work {
    if sources.is_empty() {
        return std::future::pending().await;
    }
    sources.rotate_left(1);
    let waiting: Vec<BoxFuture<'_, Work>> = sources.iter_mut().map(|source| source.next(max).boxed()).collect();
    select_all(waiting).await.0
}
