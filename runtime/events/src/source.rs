//! Where a component's work comes from: a durable consumer or a responder for each of its patterns, opened again when
//! the bus has failed it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, select_all};
use hull_bus::{Bus, BusError, Consumer, ConsumerSpec, Delivery, Request, Responder};
use hull_invocation::ComponentId;
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
    tap: Tap,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

enum Tap {
    Events(Option<Box<dyn Consumer>>),
    Requests(Option<Box<dyn Responder>>),
}

impl Source {
    /// The events of a subscription.
    pub(crate) fn events(bus: Arc<dyn Bus>, component: ComponentId, subscription: Arc<Subscription>) -> Self {
        Self::new(bus, component, subscription, Tap::Events(None))
    }

    /// The requests to a subscription's subjects.
    pub(crate) fn requests(bus: Arc<dyn Bus>, component: ComponentId, subscription: Arc<Subscription>) -> Self {
        Self::new(bus, component, subscription, Tap::Requests(None))
    }

    fn new(bus: Arc<dyn Bus>, component: ComponentId, subscription: Arc<Subscription>, tap: Tap) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        Self { bus, component, subscription, tap, retry_at: None, backoff }
    }

    /// Open it, if it is not. A failure is logged and tried again by `next`.
    pub(crate) async fn open(&mut self) -> Result<(), BusError> {
        let opened = match &mut self.tap {
            Tap::Events(Some(_)) | Tap::Requests(Some(_)) => return Ok(()),
            Tap::Events(consumer) => {
                let delivery = &self.subscription.delivery;
                let spec = ConsumerSpec {
                    app: self.component.app().to_owned(),
                    component: self.component.component().to_owned(),
                    pattern: self.subscription.pattern.clone(),
                    ack_wait: delivery.ack_wait,
                    ordered: delivery.ordered,
                    start: delivery.start,
                    max_in_flight: IN_FLIGHT_MAX,
                };
                self.bus.consumer(spec).await.map(|opened| *consumer = Some(opened))
            }
            Tap::Requests(responder) => {
                let (app, component) = (self.component.app(), self.component.component());
                let opening = self.bus.responder(app, component, &self.subscription.pattern);
                opening.await.map(|opened| *responder = Some(opened))
            }
        };
        if let Err(error) = &opened {
            self.failed(error);
        }
        opened
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
                Tap::Events(Some(consumer)) => {
                    let fetched = consumer.fetch(max).await;
                    fetched.map(|deliveries| Work::Deliveries(Arc::clone(&self.subscription), deliveries))
                }
                Tap::Requests(Some(responder)) => responder.next().await.map(Work::Request),
                Tap::Events(None) | Tap::Requests(None) => continue,
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
        self.tap = match self.tap {
            Tap::Events(_) => Tap::Events(None),
            Tap::Requests(_) => Tap::Requests(None),
        };
        self.retry_at = Some(hull_clock::now() + delay);
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
