//! A bus that fails when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hull_bus::{Bus, BusError, BusStatus, Consumer, ConsumerSpec, Page, Published, ReadFrom, Responder};
use hull_invocation::{Event, Reply};
use hull_manifest::SubjectPattern;
use tokio::sync::watch;

/// How a publish fails.
#[derive(Default)]
pub(crate) struct Weakness {
    /// It is as if the bus could not be reached.
    pub(crate) away: AtomicBool,
    /// The event is stored, and nobody hears of it.
    pub(crate) silent: AtomicBool,
    /// Consumers cannot be opened.
    pub(crate) no_consumers: AtomicBool,
    /// Those whose subjects end with `b` take long to open.
    pub(crate) slow_consumers: AtomicBool,
    /// Nothing answers who claims an app.
    pub(crate) no_claims: AtomicBool,
    /// What was claimed and released, in that order.
    pub(crate) claims: watch::Sender<Vec<String>>,
}

/// How long that is.
const SLOW: Duration = Duration::from_millis(300);

pub(crate) struct WeakBus {
    pub(crate) inner: Arc<dyn Bus>,
    pub(crate) weakness: Arc<Weakness>,
}

fn away() -> BusError {
    BusError::Unavailable { app: "shop".into(), reason: "away".into() }
}

#[async_trait]
impl Bus for WeakBus {
    async fn publish(&self, app: &str, event: &Event) -> Result<Published, BusError> {
        if self.weakness.away.load(Ordering::SeqCst) {
            return Err(away());
        }
        let published = self.inner.publish(app, event).await;
        if self.weakness.silent.load(Ordering::SeqCst) { Err(away()) } else { published }
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        if self.weakness.no_consumers.load(Ordering::SeqCst) {
            return Err(away());
        }
        if self.weakness.slow_consumers.load(Ordering::SeqCst) && spec.pattern.as_str().ends_with('b') {
            tokio::time::sleep_until((hull_clock::now() + SLOW).into()).await;
        }
        self.inner.consumer(spec).await
    }

    async fn remove_consumer(&self, app: &str, component: &str, pattern: &SubjectPattern) -> Result<(), BusError> {
        self.inner.remove_consumer(app, component, pattern).await
    }

    async fn read(&self, app: &str, pattern: &SubjectPattern, from: ReadFrom, max: usize) -> Result<Page, BusError> {
        self.inner.read(app, pattern, from, max).await
    }

    async fn request(&self, app: &str, event: &Event, timeout: Duration) -> Result<Reply, BusError> {
        self.inner.request(app, event, timeout).await
    }

    async fn responder(
        &self,
        app: &str,
        component: &str,
        pattern: &SubjectPattern,
    ) -> Result<Box<dyn Responder>, BusError> {
        self.inner.responder(app, component, pattern).await
    }

    async fn remove_stream(&self, app: &str) -> Result<(), BusError> {
        self.inner.remove_stream(app).await
    }

    async fn claim(&self, app: &str, owner: &str) -> Result<(), BusError> {
        self.weakness.claims.send_modify(|claims| claims.push(format!("claimed {app}")));
        if self.weakness.no_claims.load(Ordering::SeqCst) {
            std::future::pending().await
        }
        self.inner.claim(app, owner).await
    }

    async fn release(&self, app: &str) {
        self.weakness.claims.send_modify(|claims| claims.push(format!("released {app}")));
        self.inner.release(app).await;
    }

    async fn status(&self) -> BusStatus {
        self.inner.status().await
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}
