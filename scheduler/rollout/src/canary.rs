//! The canary itself: step after step, with a look at the figures now and then. It is given up when chance alone would
//! hardly explain how much worse it is, and waits where there is too little to tell.

use std::fmt;
use std::time::{Duration, Instant};

use crate::exact::chance;
use crate::split::Share;
use crate::tally::Tally;

/// Looks per step: three that can only give up, and the one at its end.
const LOOKS_PER_STEP: u32 = 4;
/// Steps of one rollout.
const STEPS_MAX: usize = 20;
/// A step is judged by so many requests of each side at the least: with fewer, a canary that fails one in fifteen of its
/// requests would pass for well.
const REQUESTS_MIN: u64 = 100;
/// A difference that is certain and too small to matter is passed over: by this factor a quantile must be longer.
const SLOWER_MIN: f64 = 1.2;
/// And by so many seconds: below that it is the machine's noise, which comes in bursts and so hits one side at times.
const LONGER_SECONDS_MIN: f64 = 0.001;
/// And by so much the rate of failures must be higher, as a share of all requests.
const FAILING_MIN: f64 = 0.001;
/// What is compared at each look: three measures.
const MEASURES: u32 = 3;

/// How a rollout is to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    steps: Vec<Share>,
    interval: Duration,
    false_alarms: f64,
}

/// Why there is no such plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanError {
    /// There must be one step, and no more than 20.
    Steps,
    /// Each share is larger than the one before, and none of them is nothing or all.
    Shares,
    /// A step takes time.
    Interval,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps => write!(f, "write 1 to {STEPS_MAX} steps, as in 5%,25%,50%"),
            Self::Shares => f.write_str("each step is larger than the one before, above 0% and below 100%"),
            Self::Interval => f.write_str("the interval of a step is longer than nothing"),
        }
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Through these shares, each for that long at the least. Of a hundred rollouts of a version that does not differ from
    /// the old one, one at the most is given up.
    pub fn new(steps: Vec<Share>, interval: Duration) -> Result<Self, PlanError> {
        if steps.is_empty() || steps.len() > STEPS_MAX {
            return Err(PlanError::Steps);
        }
        let grows = steps.iter().zip(steps.iter().skip(1)).all(|(one, next)| one < next);
        let is_part = |share: &Share| *share > Share::NONE && *share < Share::ALL;
        if !grows || !steps.iter().all(is_part) {
            return Err(PlanError::Shares);
        }
        if interval.is_zero() {
            return Err(PlanError::Interval);
        }
        Ok(Self { steps, interval, false_alarms: 0.01 })
    }

    /// The shares.
    pub fn steps(&self) -> &[Share] {
        &self.steps
    }

    /// How unlikely something must be to be no chance: the false alarms of all looks at all measures add up to what the
    /// whole rollout may have (Bonferroni), however the looks depend on each other.
    fn chance_max(&self) -> f64 {
        self.false_alarms / f64::from(LOOKS_PER_STEP * MEASURES * self.steps.len() as u32)
    }
}

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The share of requests that failed.
    Failures,
    /// The time within which 9 of 10 were answered: a version that is slower as a whole shows here with few requests.
    P90,
    /// The time within which 99 of 100 were answered.
    P99,
}

impl Measure {
    fn quantile(self) -> f64 {
        match self {
            Self::P90 => 0.90,
            Self::P99 | Self::Failures => 0.99,
        }
    }
}

/// Why a canary was given up, with the figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is worse.
    pub measure: Measure,
    /// Of the old version: a share, or seconds.
    pub stable: f64,
    /// Of the canary.
    pub canary: f64,
    /// Requests of the old version that this rests on.
    pub stable_requests: u64,
    /// Requests of the canary.
    pub canary_requests: u64,
    /// How likely chance alone would make it look as bad.
    pub chance: f64,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stable, canary, stable_requests, canary_requests, chance, .. } = self;
        match self.measure {
            Measure::Failures => {
                write!(
                    f,
                    "{:.2}% of its requests failed, and {:.2}% of the old version's",
                    canary * 100.0,
                    stable * 100.0
                )?;
            }
            Measure::P90 | Measure::P99 => {
                let percent = self.measure.quantile() * 100.0;
                write!(f, "its p{percent:.0} is {:.1} ms", canary * 1000.0)?;
                write!(f, ", and the old version's {:.1} ms", stable * 1000.0)?;
            }
        }
        write!(f, " ({canary_requests} and {stable_requests} requests; chance alone: {chance:.1e})")
    }
}

/// Why nothing is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// The step is not over.
    Interval,
    /// One side has had fewer requests than can be judged.
    Traffic {
        /// Of the old version in this step.
        stable: u64,
        /// Of the canary in this step.
        canary: u64,
        /// What each must have.
        wanted: u64,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Go on as it is.
    Wait(Waiting),
    /// Send that share to the canary from now on.
    Step(Share),
    /// The last step is over: the canary takes everything.
    Promote,
    /// It is worse.
    Abort(Comparison),
}

/// A rollout that is under way.
#[derive(Debug, Clone)]
pub struct Canary {
    plan: Plan,
    step: usize,
    began: Instant,
    looks: u32,
    stable: Tally,
    canary: Tally,
}

impl Canary {
    /// The first step begins now.
    pub fn start(plan: Plan, now: Instant) -> Self {
        Self::resume(plan, 0, now)
    }

    /// A step begins anew: what had been seen of it is gone with the host that saw it.
    pub fn resume(plan: Plan, step: usize, now: Instant) -> Self {
        let step = step.min(plan.steps.len() - 1);
        Self { plan, step, began: now, looks: 0, stable: Tally::default(), canary: Tally::default() }
    }

    /// Which step it is, from 0.
    pub fn step(&self) -> usize {
        self.step
    }

    /// What the canary takes.
    pub fn share(&self) -> Share {
        self.plan.steps.get(self.step).copied().unwrap_or(Share::NONE)
    }

    /// What has been seen in this step: of the old version, and of the canary.
    pub fn seen(&self) -> (&Tally, &Tally) {
        (&self.stable, &self.canary)
    }

    /// More has been seen.
    pub fn on_seen(&mut self, stable: &Tally, canary: &Tally) {
        self.stable.add_all(stable);
        self.canary.add_all(canary);
    }

    /// Look at the figures. Between the looks that the plan has, nothing is judged: who looks more often would be wrong
    /// more often.
    pub fn on_look(&mut self, now: Instant) -> Decision {
        let passed = now.saturating_duration_since(self.began);
        let due = u32::try_from(passed.as_nanos() * u128::from(LOOKS_PER_STEP) / self.plan.interval.as_nanos());
        let due = due.unwrap_or(u32::MAX).min(LOOKS_PER_STEP);
        if due <= self.looks {
            return Decision::Wait(Waiting::Interval);
        }
        let (stable, canary, wanted) = (self.stable.requests(), self.canary.requests(), REQUESTS_MIN);
        if stable < wanted || canary < wanted {
            // The last look is not used up: it waits for traffic.
            self.looks = due.min(LOOKS_PER_STEP - 1);
            return Decision::Wait(Waiting::Traffic { stable, canary, wanted });
        }
        self.looks = due;
        let (stable, canary) = (&self.stable, &self.canary);
        let latency = |measure| latency(measure, stable, canary);
        let worse = [failures(stable, canary), latency(Measure::P99), latency(Measure::P90)];
        let certain = worse.into_iter().flatten().find(|worse| worse.chance < self.plan.chance_max());
        if let Some(worse) = certain {
            return Decision::Abort(worse);
        }
        if due < LOOKS_PER_STEP {
            return Decision::Wait(Waiting::Interval);
        }
        if self.step + 1 >= self.plan.steps.len() {
            return Decision::Promote;
        }
        *self = Self::resume(self.plan.clone(), self.step + 1, now);
        Decision::Step(self.share())
    }
}

/// Whether more of the canary's requests failed.
fn failures(stable: &Tally, canary: &Tally) -> Option<Comparison> {
    let (old, new) = (stable.failure_rate(), canary.failure_rate());
    let (stable_requests, canary_requests) = (stable.requests(), canary.requests());
    let bad = stable.failed() + canary.failed();
    let chance = chance(canary.failed(), canary_requests, bad, stable_requests + canary_requests);
    let comparison =
        Comparison { measure: Measure::Failures, stable: old, canary: new, stable_requests, canary_requests, chance };
    (new > old + FAILING_MIN).then_some(comparison)
}

/// Whether the canary has more than its part of the slowest of both sides: of those above that quantile of both together,
/// where no side would have more than its part if they did not differ.
fn latency(measure: Measure, stable: &Tally, canary: &Tally) -> Option<Comparison> {
    let quantile = measure.quantile();
    let (old, new) = (stable.quantile(quantile).as_secs_f64(), canary.quantile(quantile).as_secs_f64());
    let (stable_requests, canary_requests) = (stable.requests(), canary.requests());
    let mut both = stable.clone();
    both.add_all(canary);
    let place = both.bucket_at(quantile).saturating_sub(1);
    let chance = chance(canary.above(place), canary_requests, both.above(place), both.requests());
    let comparison = Comparison { measure, stable: old, canary: new, stable_requests, canary_requests, chance };
    (new > old * SLOWER_MIN && new > old + LONGER_SECONDS_MIN).then_some(comparison)
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
