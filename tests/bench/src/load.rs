//! What a server can carry: a closed loop of requests all of which must be served, and what they cost the server.

use std::net::SocketAddr;
use std::time::Duration;

use crate::clients::{Pace, Phase, Plan};
use crate::connection::Request;
use crate::histogram::Histogram;

/// What to send, and for how long.
pub(crate) struct Load {
    /// Where to.
    pub(crate) address: SocketAddr,
    /// What; all of them the same.
    pub(crate) request: Request,
    /// How many connections, and so how many requests at once.
    pub(crate) connections: usize,
    /// Not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) measured: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Answers per second, counted ones only.
    pub(crate) rate: f64,
    /// From sending the request to the last byte of the answer.
    pub(crate) latencies: Histogram,
    /// What the server used of CPU for one of them.
    pub(crate) server_cpu: Duration,
}

impl Load {
    /// Send and count. Any answer but 200 and any broken connection is an error: a rate of failures means nothing.
    /// `server_cpu` tells what the server has used of CPU since it was started.
    pub(crate) fn run(&self, server_cpu: impl Fn() -> anyhow::Result<Duration>) -> anyhow::Result<Outcome> {
        let plan = Plan {
            address: self.address,
            connections: self.connections,
            pace: Pace::Closed,
            beat: Duration::ZERO,
            requests: vec![self.request.clone()],
            warm_up: self.warm_up,
            measured: self.measured,
            drain: Duration::ZERO,
            is_strict: true,
        };
        let (mut before, mut after) = (Duration::ZERO, Duration::ZERO);
        let tally = plan.run(|phase| {
            match phase {
                Phase::CountingBegins => before = server_cpu()?,
                Phase::CountingEnds => after = server_cpu()?,
            }
            Ok(())
        })?;
        let counted = u32::try_from(tally.served.total()).unwrap_or(u32::MAX).max(1);
        let rate = tally.per_second(tally.served.total());
        Ok(Outcome { rate, server_cpu: after.saturating_sub(before) / counted, latencies: tally.served })
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
