//! Warming up: before a revision takes one request, an instance of each of its components is made; and where a version
//! takes another's place, it is asked once how it is, if its manifest says where. Whatever fails here fails while what
//! serves goes on untouched.

use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt as _, Empty, Limited};
use hull_dispatch::{Body, CpuBounds, Share};
use hull_invocation::Failure;
use hull_manifest::{Component, Health};

use crate::deploy::{Deployed, Served};
use crate::error::ComponentProblem;
use crate::node::Node;

/// The weight of the share in which a warm-up waits for its turn: as much as a bulkhead has.
const WARM_UP_WEIGHT: u32 = 100;
/// As much of a health answer is read, in bytes.
const HEALTH_BYTES_MAX: usize = 64 << 10;

impl Node {
    /// Warm every component of a revision that is ready; what is wrong with any of them.
    pub(crate) async fn warm_all(&self, deployed: &Deployed, is_apart: bool) -> Vec<ComponentProblem> {
        let before = self.apps.read().await.get(deployed.app.name.as_str()).cloned();
        let mut problems = Vec::new();
        for served in &deployed.components {
            let Some(component) = deployed.app.component(served.id.component()) else { continue };
            let replaces = !is_apart && before.as_ref().is_some_and(|before| before.served(&component.name).is_some());
            let warmed = self.warm(deployed, served, component, replaces).await;
            problems.extend(warmed.err().map(|message| ComponentProblem::new(&component.name, message)));
        }
        problems
    }

    async fn warm(
        &self,
        deployed: &Deployed,
        served: &Served,
        component: &Component,
        replaces: bool,
    ) -> Result<(), String> {
        // A turn of its own: what the component may use now is for those who ask it something.
        let account = self.run_queue.account(&Share::new(WARM_UP_WEIGHT), CpuBounds::default());
        let limits = &component.hull.limits;
        let warmed = self.engine.warm(&served.version, &deployed.revision, &account, limits.time).await;
        served.account.charge_elsewhere(account.used());
        warmed.map_err(|failure| cold(&failure))?;
        match &component.hull.health {
            Some(health) if replaces && served.version.exports().http.is_some() => {
                self.ask_health(deployed, served, health).await
            }
            _ => Ok(()),
        }
    }

    async fn ask_health(&self, deployed: &Deployed, served: &Served, health: &Health) -> Result<(), String> {
        let failed = |why: String| {
            format!("asked how it is (GET {}, `health` in its tool.hull table), the new version {why}", health.path)
        };
        let host = format!("{}.internal", served.id.component());
        let body: Body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::get(health.path.as_str()).header(HOST, host).body(body);
        let request = request.map_err(|error| failed(format!("cannot be asked: {error}")))?;
        let asking = async {
            let answer = self.engine.ask(&served.version, &deployed.revision, request, health.timeout).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), HEALTH_BYTES_MAX).collect().await;
            let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned());
            Ok::<_, Failure>((status, text.unwrap_or_else(|error| error.to_string())))
        };
        match tokio::time::timeout_at((hull_clock::now() + health.timeout).into(), asking).await {
            Err(_) => Err(failed(format!("did not answer within {:?}", health.timeout))),
            Ok(Err(failure)) => Err(failed(format!("failed: {failure}"))),
            Ok(Ok((status, text))) if status.is_server_error() => Err(failed(format!("answered {status}: {text}"))),
            Ok(Ok(_)) => Ok(()),
        }
    }
}

/// Why no instance could be made, and what mends it.
fn cold(failure: &Failure) -> String {
    let mend = match failure {
        Failure::CpuExceeded { .. } => {
            "; an instance of it is made for each request: let it do less before it is asked, or raise the limit"
        }
        Failure::MemoryExceeded { .. } => "; raise the limit, or let it begin with less",
        Failure::Shed { .. } => "; the host is full: deploy again when there is room",
        _ => "; it would fail every request",
    };
    format!("it cannot be started: {failure}{mend}")
}
