//! One delivery, from the bus through the component's marks and the door and back to the bus.

use std::sync::Arc;
use std::time::Duration;

use hull_bus::{BusError, Delivery, Request};
use hull_dispatch::Invoke;
use hull_invocation::{Event, EventOutcome, Failure};
use hull_storage::{DeadLetter, DeadLetterKind, EventIdentity, Ledger, StorageError};
use tracing::{debug, warn};

use crate::chain::invocation_for;
use crate::config::{ComponentConfig, Subscription};
use crate::counts::{Counters, count};
use crate::in_flight::{Held, InFlight};
use crate::known::{Known, Looking};
use crate::phase::{Phase, Phases};
use crate::verdict::{Case, Done, Verdict, answer, not_tried, verdict};

/// How often a request whose handler meets a conflict is run again.
const REQUEST_CONFLICTS_MAX: u32 = 3;
/// After how many bytes of payloads, whose digests are made, others have their turn: a batch may be 64 of the largest.
const DIGESTED_BYTES_MAX: usize = 1 << 20;
/// How many signs of life there are within one ack-wait.
const SIGNS_PER_ACK_WAIT: u32 = 3;

/// What handling a component's events needs; shared by all of them.
pub(crate) struct Handler {
    pub(crate) config: ComponentConfig,
    pub(crate) door: Arc<dyn Invoke>,
    pub(crate) ledger: Ledger,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) counters: Arc<Counters>,
}

/// A delivery that somebody is at.
pub(crate) struct Begun {
    delivery: Delivery,
    identity: EventIdentity,
    /// None while another delivery of the event is at work.
    work: Option<(Held, Known)>,
}

impl Handler {
    /// Begin with deliveries that came together; each is then handled to its end by itself, those first of which another
    /// delivery is at work: they come back when that one may be done.
    pub(crate) async fn begin(&self, deliveries: Vec<Delivery>) -> Vec<Begun> {
        let (mut begun, mut entered, mut identities) = (Vec::new(), Vec::new(), Vec::new());
        let mut digested_bytes = 0;
        for delivery in deliveries {
            digested_bytes += delivery.event.payload.len();
            if digested_bytes > DIGESTED_BYTES_MAX {
                tokio::task::yield_now().await;
                digested_bytes = delivery.event.payload.len();
            }
            let identity = EventIdentity::of(&delivery.event);
            let held = self.in_flight.enter(&identity.key);
            let place = identities.len();
            if held.is_some() {
                identities.push(identity.clone());
            }
            entered.push((delivery, identity, held, place));
        }
        let looking = Looking::at(&self.ledger, identities);
        for (delivery, identity, held, place) in entered {
            begun.push(Begun { delivery, identity, work: held.map(|held| (held, looking.known(place))) });
        }
        begun
    }

    /// Handle one delivery to its end. When the component is cancelled the event goes back at once.
    pub(crate) async fn deliver(&self, subscription: &Subscription, begun: Begun, phases: Phases) {
        let Begun { delivery, identity, work } = begun;
        let Some((_held, known)) = work else {
            return self.settle(&delivery, not_tried(delivery.deliveries, hull_clock::random_u64())).await;
        };
        let deciding = self.decide(subscription, &delivery, &identity, known);
        let decided = self.with_signs_of_life(subscription, &delivery, deciding, &phases).await;
        self.settle(&delivery, decided).await;
    }

    /// Drive a decision while telling the bus that it is being worked on.
    async fn with_signs_of_life(
        &self,
        subscription: &Subscription,
        delivery: &Delivery,
        deciding: impl Future<Output = Verdict>,
        phases: &Phases,
    ) -> Verdict {
        let every = subscription.delivery.ack_wait / SIGNS_PER_ACK_WAIT;
        let mut next_sign = hull_clock::now() + every;
        tokio::pin!(deciding);
        loop {
            tokio::select! {
                biased;
                verdict = &mut deciding => return verdict,
                () = phases.reached(Phase::Cancelled) => {
                    return Verdict::Again { delay: Duration::ZERO, failed: None };
                }
                () = tokio::time::sleep_until(next_sign.into()) => {
                    if let Err(error) = delivery.in_progress().await {
                        debug!(component = %self.config.id, %error, "the bus did not take a sign of life");
                    }
                    next_sign = hull_clock::now() + every;
                }
            }
        }
    }

    async fn decide(
        &self,
        subscription: &Subscription,
        delivery: &Delivery,
        identity: &EventIdentity,
        known: Known,
    ) -> Verdict {
        let state = match known.state(&self.ledger, identity).await {
            Ok(state) => state,
            Err(error) => {
                warn!(component = %self.config.id, %error, "an event waits for its component's database");
                return not_tried(delivery.deliveries, hull_clock::random_u64());
            }
        };
        let attempts = state.attempts;
        if let Some(handled) = state.handled {
            if handled == identity.content_hash {
                return Verdict::Ack(Done::Before);
            }
            let reason = "an event of this source and id, with other content, was handled before".to_owned();
            return Verdict::Dead { reason, attempts };
        }
        if state.dead_letter.is_some() {
            return Verdict::Ack(Done::Before);
        }
        // The host ended between the last failure and the burial, or `max-deliver` is lower now.
        if attempts >= subscription.delivery.max_deliver.get() {
            return Verdict::Dead { reason: format!("{attempts} attempts failed"), attempts };
        }
        if let Err(reason) = self.config.check(&delivery.event) {
            return Verdict::Dead { reason, attempts };
        }
        let attempt = attempts + 1;
        let result = self.run(&delivery.event, attempt, false).await;
        let random = hull_clock::random_u64();
        let case = Case { delivery: &subscription.delivery, attempt, deliveries: delivery.deliveries, random };
        verdict(result, case)
    }

    /// Start the handler.
    pub(crate) async fn run(&self, event: &Event, attempt: u32, is_request: bool) -> Result<EventOutcome, Failure> {
        let result = match invocation_for(&self.config.id, event, self.config.time) {
            Some(invocation) => {
                let (door, event) = (Arc::clone(&self.door), event.clone());
                let handling = async move { door.event(invocation, event, attempt, is_request).await };
                self.ledger.carry(handling).await
            }
            None => Err(Failure::ChainTooLong {
                component: self.config.id.clone(),
                message: format!("events led to events more than {} times", hull_invocation::HOPS_MAX),
            }),
        };
        self.config.metrics.event_ended(result.as_ref());
        result
    }

    async fn settle(&self, delivery: &Delivery, verdict: Verdict) {
        let (counters, component) = (&self.counters, &self.config.id);
        let settled = match verdict {
            Verdict::Ack(done) => {
                count(if done == Done::Handled { &counters.handled } else { &counters.already_handled });
                delivery.ack().await
            }
            Verdict::Again { delay, failed: None } => {
                count(&counters.returned);
                delivery.nak(delay).await
            }
            Verdict::Again { delay, failed: Some(reason) } => {
                let identity = EventIdentity::of(&delivery.event);
                match self.ledger.record_failure(&identity, &reason).await {
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        count(&counters.handled);
                        debug!(%component, key = ?identity.key, reason, "an event was handled after all");
                        return self.settled(delivery.ack().await);
                    }
                    Err(error) => warn!(%component, %error, "a failed attempt could not be counted"),
                }
                count(&counters.retried);
                debug!(%component, key = ?delivery.event.key, reason, ?delay, "an event will be tried again");
                delivery.nak(delay).await
            }
            Verdict::Dead { reason, attempts } => match self.bury(&delivery.event, &reason, attempts).await {
                Ok(buried) => {
                    if buried.is_none() {
                        count(&counters.handled);
                    }
                    delivery.ack().await
                }
                Err(error) => {
                    warn!(%component, %error, "a dead letter could not be written; its event comes again");
                    match not_tried(delivery.deliveries, hull_clock::random_u64()) {
                        Verdict::Again { delay, .. } => delivery.nak(delay).await,
                        Verdict::Ack(_) | Verdict::Dead { .. } => Ok(()),
                    }
                }
            },
        };
        self.settled(settled);
    }

    fn settled(&self, settled: Result<(), BusError>) {
        if let Err(error) = settled {
            // It is delivered again after its ack-wait, and then its mark or its letter is found.
            warn!(component = %self.config.id, %error, "the bus did not take the end of a delivery");
        }
    }

    /// Put an event with the dead letters; none if it was handled after all.
    pub(crate) async fn bury(&self, event: &Event, reason: &str, attempts: u32) -> Result<Option<i64>, StorageError> {
        let letter = DeadLetter {
            kind: DeadLetterKind::Incoming,
            event: event.clone(),
            reason: reason.to_owned(),
            attempts,
            died_at_ms: hull_clock::unix_ms(),
        };
        let (component, subject) = (&self.config.id, &event.subject);
        let Some(id) = self.ledger.bury(letter).await? else {
            debug!(%component, key = ?event.key, reason, "an event was handled after all");
            return Ok(None);
        };
        count(&self.counters.dead);
        warn!(%component, key = ?event.key, subject, letter = id, reason, "an event is a dead letter now");
        Ok(Some(id))
    }

    /// Answer a request: the same handler, and whoever asked gets the reply or the reason why there is none.
    pub(crate) async fn respond(&self, request: Request, phases: Phases) {
        let answered = tokio::select! {
            biased;
            answered = self.answer(&request.event) => answered,
            () = phases.reached(Phase::Cancelled) => Err("the component is being stopped".to_owned()),
        };
        let sent = match answered {
            Ok(reply) => {
                count(&self.counters.handled);
                request.respond(reply).await
            }
            Err(reason) => request.refuse(reason).await,
        };
        if let Err(error) = sent {
            warn!(component = %self.config.id, %error, "an answer could not be sent");
        }
    }

    async fn answer(&self, event: &Event) -> Result<hull_invocation::Reply, String> {
        let Some(_held) = self.in_flight.enter(&event.key) else {
            return Err("a request with this id is being answered".to_owned());
        };
        self.config.check(event)?;
        let mut attempt = 1;
        loop {
            let result = self.run(event, attempt, true).await;
            if !matches!(result, Ok(EventOutcome::Conflict)) || attempt > REQUEST_CONFLICTS_MAX {
                return answer(result);
            }
            attempt += 1;
        }
    }
}
