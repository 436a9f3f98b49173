//! A host that is killed while it makes its state directory for the first time: whatever it has left half-made, the next
//! one goes on from there.

use std::time::Duration;

use anyhow::Context as _;
use hull_tests::shop::provider_line::ProviderLine;
use hull_tests::wait;

use crate::market;
use crate::plan::Plan;
use crate::random::Random;

/// How many are killed, each with a state directory of its own.
const BIRTHS: u64 = 12;
/// The last of them this long after its start: by then it is ready, on most machines.
const LAST_MS: u64 = 420;

/// Kill hosts at times that are spread over their first start.
pub(crate) fn killed(plan: &Plan) -> anyhow::Result<()> {
    println!("chaos at birth, seed {}", plan.seed);
    let (line, mut random) = (ProviderLine::new()?, Random::new(plan.seed, 2));
    for birth in 1..=BIRTHS {
        let app = market::shop(plan, &line)?;
        let at_ms = LAST_MS * birth / BIRTHS - random.below(LAST_MS / BIRTHS);
        app.up_cut_short(Duration::from_millis(at_ms))?;
        let told = || format!("a host after one that was killed {at_ms} ms after its start");
        let host = app.up().with_context(told)?;
        market::open(&host.client()).with_context(told)?;
        // Its health has seen every part of it.
        wait::until("the host to be well", || Ok((host.admin().get("/healthz/ready")?.status() == 200).then_some(())))
            .with_context(told)?;
        host.stop().with_context(told)?;
    }
    Ok(())
}
