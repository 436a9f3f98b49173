//! An app's upstreams: admitted, bounded, counted and charged like its components, and answered by servers elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use http::uri::{Authority, Scheme};
use hull_dispatch::{Account, Admission, Body, BulkheadLimits, Compartment, CpuBounds, Dispatch, Invoke, Share};
use hull_gateway::UpstreamDoor;
use hull_http::UpstreamConfig;
use hull_invocation::{ComponentId, Event, EventOutcome, Failure, Invocation, Resource};
use hull_manifest::{App, HostSent, Name, Upstream};
use hull_telemetry::ComponentMetrics;
use serde_json::{Value, json};

use crate::deploy::component::own_limits;
use crate::deploy::{Compartments, kept_or_new};
use crate::error::ComponentProblem;
use crate::node::Node;
use crate::node::observe::Counting;
use crate::node::resources;
use crate::routes::public_routes::{Answers, public_routes};

/// Its share of the CPU where others want it too, as every bulkhead's that says nothing.
const CPU_WEIGHT: u32 = 100;

/// An upstream that serves.
#[derive(Clone)]
pub(crate) struct ServedUpstream {
    pub(crate) id: ComponentId,
    /// What the gateway does for it is charged to this.
    pub(crate) account: Arc<Account>,
    pub(crate) answers: Arc<hull_http::Upstream>,
}

/// Admits, and lets an upstream answer.
struct Door {
    dispatch: Arc<Dispatch>,
    answers: Arc<hull_http::Upstream>,
}

#[async_trait]
impl Invoke for Door {
    async fn http(
        &self,
        invocation: Invocation,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Failure> {
        self.dispatch.http_by(&*self.answers, invocation, request).await
    }

    async fn event(
        &self,
        invocation: Invocation,
        event: Event,
        attempt: u32,
        expects_reply: bool,
    ) -> Result<EventOutcome, Failure> {
        self.answers.event(invocation, event, attempt, expects_reply).await
    }
}

impl Node {
    /// Everything that an app's upstreams need. Nothing is connected yet.
    pub(crate) fn upstreams(&self, app: &App) -> Result<Vec<ServedUpstream>, ComponentProblem> {
        app.upstreams.iter().map(|(name, upstream)| self.upstream(app, name, upstream)).collect()
    }

    fn upstream(&self, app: &App, name: &Name, upstream: &Upstream) -> Result<ServedUpstream, ComponentProblem> {
        let id = ComponentId::new(&app.name, name);
        let (scheme, authority) = address(upstream).ok_or_else(|| {
            ComponentProblem::new(name, format!("its url {} cannot be requested; write another host", upstream.url))
        })?;
        let config = UpstreamConfig {
            id: id.clone(),
            scheme,
            authority,
            keeps_host: upstream.settings.host == HostSent::Client,
            body_bytes_max: upstream.settings.body_max.get(),
            rejected: self.metrics().component(&id),
        };
        let account = self.run_queue.account(&Share::new(CPU_WEIGHT), CpuBounds::default());
        Ok(ServedUpstream { id, account, answers: Arc::new(hull_http::Upstream::new(config)) })
    }

    /// The gateway's way to it.
    pub(crate) fn upstream_door(&self, served: &ServedUpstream, upstream: &Upstream) -> UpstreamDoor {
        let door = Door { dispatch: Arc::clone(&self.dispatch), answers: Arc::clone(&served.answers) };
        UpstreamDoor { door: Arc::new(door), forwarded: upstream.settings.forwarded }
    }

    /// Where requests for upstreams have their places: each in a compartment of its own.
    pub(crate) fn upstream_admissions(
        &self,
        app: &App,
        old: &Compartments,
        compartments: &mut Compartments,
    ) -> Vec<(ComponentId, Admission)> {
        let admission = |(name, upstream): (&Name, &Upstream)| {
            let settings = &upstream.settings;
            let limits = BulkheadLimits {
                concurrency_max: settings.concurrency.get(),
                queue_max: settings.queue.length,
                queue_wait_max: settings.queue.wait,
            };
            let bound = if limits.queue_max == 0 { Resource::Bulkhead } else { Resource::Queue };
            let compartment = kept_or_new(&old.upstreams, name, limits, bound);
            compartments.upstreams.insert(name.clone(), Arc::clone(&compartment));
            // Whoever is inside has a place here: the compartment is its own.
            let concurrency = Compartment::new(name.as_str(), own_limits(settings.concurrency), Resource::Concurrency);
            let id = ComponentId::new(&app.name, name);
            let metrics = self.metrics().component(&id);
            set_limits(&metrics, upstream);
            let (body_in_bytes_max, time) = (settings.body_max.get(), settings.time);
            let observer = Arc::new(Counting(metrics));
            (id, Admission { compartment, concurrency, body_in_bytes_max, time, observer })
        };
        app.upstreams.iter().map(admission).collect()
    }

    /// Measure what each upstream uses now.
    pub(crate) fn measure_upstream(&self, id: &ComponentId) {
        let metrics = self.metrics().component(id);
        if let Some(status) = self.dispatch.status(id) {
            metrics.set_used(Resource::Bulkhead, f64::from(status.inside));
            metrics.set_used(Resource::Queue, status.waiting as f64);
        }
    }

    /// An app's upstreams, for people and programs.
    pub(crate) fn show_upstreams(&self, app: &App) -> Vec<Value> {
        app.upstreams.iter().map(|(name, upstream)| self.show_upstream(app, name, upstream)).collect()
    }

    fn show_upstream(&self, app: &App, name: &Name, upstream: &Upstream) -> Value {
        let id = ComponentId::new(&app.name, name);
        self.measure_upstream(&id);
        let metrics = self.metrics().component(&id);
        let (ok, failed) = metrics.invocations_ended();
        let routes = public_routes(app).into_iter().filter(|route| match &route.answers {
            Answers::Upstream(upstream) | Answers::Split { upstream, .. } => upstream == name.as_str(),
            Answers::Component(_) | Answers::Static => false,
        });
        json!({
            "app": app.name.as_str(),
            "upstream": name.as_str(),
            "url": upstream.url.to_string(),
            "routes": routes.map(|route| route.to_json()).collect::<Vec<_>>(),
            "invocations": { "ok": ok, "failed": failed, "running": metrics.invocations_in_flight() },
            "bulkhead": crate::admin::bulkhead(self, &id),
            "resources": resources::shown(&metrics),
        })
    }
}

/// Set the bounds of an upstream, in base units.
fn set_limits(metrics: &ComponentMetrics, upstream: &Upstream) {
    let settings = &upstream.settings;
    let all = [
        (Resource::Bulkhead, f64::from(settings.concurrency.get())),
        (Resource::Queue, f64::from(settings.queue.length)),
        (Resource::Time, settings.time.as_secs_f64()),
        (Resource::BodyIn, settings.body_max.get() as f64),
        (Resource::OutboundBody, settings.body_max.get() as f64),
    ];
    for (resource, limit) in all {
        metrics.set_limit(resource, Some(limit));
    }
}

fn address(upstream: &Upstream) -> Option<(Scheme, Authority)> {
    let url = upstream.url();
    let scheme = Scheme::try_from(url.scheme()).ok()?;
    let host = url.host_str()?;
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Some((scheme, authority.parse().ok()?))
}
