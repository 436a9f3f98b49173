//! Warming a version before it takes one request: an instance of it is made, so that one which traps or loops while it
//! starts is found out while what served before still serves. With `reuse = "serial"` that instance waits for the first
//! request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hull_dispatch::{Account, Body};
use hull_invocation::{Cause, Failure, Invocation, Lineage, Pinned, RequestId, Resource, Slot, TraceContext};

use crate::deploy::Version;
use crate::drive::{Driver, GuestFuture};
use crate::instance::Sandbox;
use crate::registry::Shared;

/// How long a host that is full is waited for.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often it is asked again.
const ROOM_PAUSE: Duration = Duration::from_millis(5);

/// An invocation that nobody asked for, of a version that does not serve yet. What it calls is of its revision.
fn invocation(version: &Version, revision: &Pinned, deadline: Instant) -> Invocation {
    let target = version.component.clone();
    let lineage = Lineage::root(target.clone());
    lineage.frame().pin(revision);
    let request_id = RequestId::from_bytes(hull_clock::random_bytes());
    Invocation {
        target,
        cause: Cause::Http,
        deadline,
        correlation_id: request_id.clone(),
        request_id,
        trace: TraceContext::root(hull_clock::random_bytes(), hull_clock::random_u64()),
        lineage,
        hops: 0,
        slot: Slot::default(),
    }
}

/// Make an instance, on that account: what its component may use is for those who ask it something.
pub(crate) async fn instantiate(
    shared: &Arc<Shared>,
    version: &Arc<Version>,
    revision: &Pinned,
    account: &Arc<Account>,
    time: Duration,
) -> Result<(), Failure> {
    let patience = hull_clock::now() + ROOM_WAIT_MAX;
    loop {
        let made = once(shared, version, revision, account, time).await;
        let is_full = matches!(&made, Err(Failure::Shed { resource: Resource::Host, .. }));
        if !is_full || hull_clock::now() >= patience {
            return made;
        }
        tokio::time::sleep_until((hull_clock::now() + ROOM_PAUSE).into()).await;
    }
}

async fn once(
    shared: &Arc<Shared>,
    version: &Arc<Version>,
    revision: &Pinned,
    account: &Arc<Account>,
    time: Duration,
) -> Result<(), Failure> {
    let deadline = hull_clock::now() + time;
    let invocation = invocation(version, revision, deadline);
    let (serving, warmed) = (Arc::clone(shared), Arc::clone(version));
    let guest: GuestFuture = Box::pin(async move {
        Sandbox::open(&serving, &warmed, &invocation, None).await?.close_unused();
        Ok(())
    });
    Driver::new(shared, guest, version.component.clone(), account, deadline).await
}

/// One request to a version that does not serve yet.
pub(crate) async fn ask(
    shared: &Arc<Shared>,
    version: &Arc<Version>,
    revision: &Pinned,
    request: http::Request<Body>,
    time: Duration,
) -> Result<http::Response<Body>, Failure> {
    let invocation = invocation(version, revision, hull_clock::now() + time);
    crate::http::serve(shared, Arc::clone(version), invocation, request).await
}
