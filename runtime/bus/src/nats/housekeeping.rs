//! What the bus does by itself: leases are renewed, and what nobody needs any more is dropped.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::link::Link;
use super::{Shared, leases, link, retention};

/// Renew leases, until the bus is gone; at once when the connection is back, for another host may have waited for that.
pub(super) async fn keep_leases(
    shared: Weak<Shared>,
    mut closed: watch::Receiver<bool>,
    mut link: watch::Receiver<Link>,
) {
    loop {
        let next = hull_clock::now() + leases::RENEW_EVERY;
        tokio::select! {
            () = link::until_closed(&mut closed) => return,
            _ = link.changed() => {}
            () = tokio::time::sleep_until(next.into()) => {}
        }
        let Some(shared) = shared.upgrade() else { return };
        if !link.borrow_and_update().is_up {
            continue;
        }
        for app in shared.leases.renew(&shared.context).await {
            let mut durables = shared.durables.lock();
            durables.retain(|(of, _), durable| {
                if *of == app {
                    durable.remove();
                }
                *of != app
            });
        }
    }
}

/// Drop what nobody needs any more, now and then, until the bus is gone.
pub(super) async fn keep_house(shared: Weak<Shared>, mut closed: watch::Receiver<bool>, every: Duration) {
    loop {
        let next = hull_clock::now() + every;
        tokio::select! {
            () = link::until_closed(&mut closed) => return,
            () = tokio::time::sleep_until(next.into()) => {}
        }
        let Some(shared) = shared.upgrade() else { return };
        if !shared.link.borrow().is_up {
            continue;
        }
        for (app, stream) in shared.streams.all() {
            match retention::make_room(&app, &stream, shared.options.retain).await {
                Ok(0) => {}
                Ok(events) => debug!(app, events, "old events were dropped"),
                Err(error) => warn!(app, %error, "old events could not be dropped"),
            }
        }
    }
}
