//! The orchestrator: begins a saga for each checkout, sends its commands, hears answers and timers, and shows where it
//! is. What it decides is in `saga.rs`; here a decision is stored and sent, both in one unit of work.

mod plan;
mod purchase;
mod saga;
mod store;

use hull_sdk::http::StatusCode;
use hull_sdk::{
    Error, Event, Message, Outcome, Problem, Request, Response, Result, Routes, Unit, clock, response, transaction,
};
use serde::{Deserialize, Serialize};

use crate::purchase::Purchase;
use crate::saga::{Answer, Saga, Send};
use crate::store::Checkout;

hull_sdk::http_component!(routes);
hull_sdk::event_component!(handle);

fn routes() -> Routes {
    Routes::new().put("/checkouts/:id", begin).get("/checkouts/:id", show).get("/checkouts", list)
}

/// A command to a service. It carries all that the service needs.
#[derive(Debug, Serialize)]
struct Command<'a> {
    saga: &'a str,
    attempt: u32,
    purchase: &'a Purchase,
}

/// What a service says about a command.
#[derive(Debug, Deserialize)]
struct Reply {
    saga: String,
    command: String,
    answer: Answer,
}

/// From this service to itself, for later.
#[derive(Debug, Serialize, Deserialize)]
struct Timer {
    saga: String,
    command: String,
    attempt: u32,
}

/// The client names its checkout, so it may ask again when it got no answer: it is the same checkout.
fn begin(request: &Request) -> Result<Response> {
    let id = request.param("id")?.to_owned();
    let purchase: Purchase = request.json()?;
    purchase.check()?;
    let checkout = transaction(|unit| {
        if let Some(begun) = store::find(&id)? {
            return Ok(begun);
        }
        let (saga, first) = Saga::begin();
        let checkout = Checkout { id: id.clone(), purchase: purchase.clone(), saga };
        store::add(unit, &checkout)?;
        send(unit, &checkout, first)?;
        Ok(checkout)
    })?;
    if checkout.purchase != purchase {
        return Err(Problem::conflict(format!("checkout {id} is about another purchase")).into());
    }
    response::located(StatusCode::ACCEPTED, &format!("/checkouts/{id}"), &checkout)
}

fn show(request: &Request) -> Result<Response> {
    let id = request.param("id")?;
    let checkout = store::find(id)?.ok_or_else(|| Problem::not_found("checkout", id))?;
    response::ok(&checkout)
}

fn list(_: &Request) -> Result<Response> {
    response::ok(&store::list()?)
}

/// An answer or a timer.
fn handle(unit: &Unit, event: &Event) -> Result<Outcome> {
    if event.subject() == "checkout.timer" {
        let Timer { saga, command, attempt } = event.json()?;
        return go_on(unit, &saga, |saga| saga.on_timer(&command, attempt));
    }
    let Reply { saga, command, answer } = event.json()?;
    go_on(unit, &saga, |saga| saga.on_answer(&command, answer))
}

/// What becomes of the saga, the next command and its timer are committed together with the mark that this event was
/// handled: after a crash it is as if it had not come yet, or as if all of it had been done.
fn go_on(unit: &Unit, id: &str, decide: impl FnOnce(&mut Saga) -> Option<Send>) -> Result<Outcome> {
    let Some(mut checkout) = store::find(id)? else {
        return Ok(Outcome::Reject(format!("there is no checkout {id}")));
    };
    let next = decide(&mut checkout.saga);
    store::update(unit, &checkout)?;
    send(unit, &checkout, next)?;
    Ok(Outcome::Ok)
}

/// The command at once, and the timer for when it has taken too long.
fn send(unit: &Unit, checkout: &Checkout, next: Option<Send>) -> Result<()> {
    let Some(Send { command, attempt, patience_ms }) = next else { return Ok(()) };
    let told = Command { saga: &checkout.id, attempt, purchase: &checkout.purchase };
    unit.publish(&Message::json(command, &told)?)?;
    let timer = Timer { saga: checkout.id.clone(), command: command.to_owned(), attempt };
    let now_ms = u64::try_from(clock::now_ms()).map_err(|_| Error::Fault("it is not yet 1970".to_owned()))?;
    unit.publish(&Message::json("checkout.timer", &timer)?.deliver_at(now_ms + patience_ms))?;
    Ok(())
}
