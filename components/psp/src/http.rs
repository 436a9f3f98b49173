//! The provider's own interface: charge, refund, and the ledger to check against. It is there twice, as the shop
//! calls it and below `/psp` for those who look in from outside.

use hull_sdk::health::Report;
use hull_sdk::http::StatusCode;
use hull_sdk::money::CENTS_MAX;
use hull_sdk::{Cents, Check, Problem, Request, Response, Result, Routes, clock, ids, response};
use serde::{Deserialize, Serialize};

use crate::charges::{Behaviour, FLAKY_FAILURES, SLOW};
use crate::store::{self, Charge};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    order_id: String,
    amount_cents: i64,
    currency: String,
    token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CalledOff {
    order_id: String,
}

#[derive(Debug, Serialize)]
struct List {
    items: Vec<Charge>,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/health", health)
        .post("/charges", charge)
        .get("/charges", list)
        .post("/charges/void", void)
        .post("/charges/:id/refund", refund)
        .post("/psp/charges", charge)
        .get("/psp/charges", list)
        .post("/psp/charges/void", void)
        .post("/psp/charges/:id/refund", refund)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("charges").into_response()
}

fn list(request: &Request) -> Result<Response> {
    response::ok(&List { items: store::of_order(request.query().required("orderId")?)? })
}

fn key(request: &Request) -> Result<&str> {
    let missing = || Problem::bad_request("a charge needs an Idempotency-Key").with_field("Idempotency-Key");
    Ok(request.header("idempotency-key").filter(|key| !key.is_empty()).ok_or_else(missing)?)
}

fn charge(request: &Request) -> Result<Response> {
    let key = key(request)?;
    let asked: Asked = request.json()?;
    Check::new()
        .text("orderId", &asked.order_id, 1..=64)
        .text("currency", &asked.currency, 3..=3)
        .range("amountCents", asked.amount_cents, 0..=CENTS_MAX)
        .done()?;
    if let Some(before) = store::with_key(key)? {
        return answer(&same(before, &asked)?);
    }
    let unknown = || Problem::invalid("token", "must be tok_ok, tok_declined, tok_slow or tok_flaky");
    let behaviour = Behaviour::of(&asked.token).ok_or_else(unknown)?;
    match behaviour {
        Behaviour::Slow => clock::sleep(SLOW),
        Behaviour::Flaky if store::attempt(key)? <= FLAKY_FAILURES => {
            let told = "the provider is not available now";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, told).retry_after(1).into());
        }
        Behaviour::Charge | Behaviour::Decline | Behaviour::Flaky => {}
    }
    answer(&written(key, &asked, behaviour)?)
}

/// Write the line, or find the one that another request with the same key has just written.
fn written(key: &str, asked: &Asked, behaviour: Behaviour) -> Result<Charge> {
    let status = if behaviour == Behaviour::Decline { "declined" } else { "charged" };
    let amount_cents = Cents::try_from(asked.amount_cents).unwrap_or_default();
    same(added(line(key, &asked.order_id, amount_cents, &asked.currency, status))?, asked)
}

fn line(key: &str, order_id: &str, amount_cents: Cents, currency: &str, status: &str) -> Charge {
    Charge {
        id: ids::new_id(),
        idempotency_key: key.to_owned(),
        order_id: order_id.to_owned(),
        amount_cents,
        currency: currency.to_owned(),
        status: status.to_owned(),
        created_at: clock::now_ms(),
    }
}

fn added(charge: Charge) -> Result<Charge> {
    match store::add(&charge) {
        Ok(()) => Ok(charge),
        Err(error) if error.is_unique_violation() => store::with_key(&charge.idempotency_key)?.ok_or(error),
        Err(error) => Err(error),
    }
}

/// Call a key off. Charge and void write the same unique line, so whichever comes second meets the first.
fn void(request: &Request) -> Result<Response> {
    let key = key(request)?;
    let asked: CalledOff = request.json()?;
    Check::new().text("orderId", &asked.order_id, 1..=64).done()?;
    let charge = added(line(key, &asked.order_id, Cents::ZERO, "", store::VOIDED))?;
    if charge.order_id != asked.order_id {
        return Err(Problem::invalid("Idempotency-Key", "was used for another charge").into());
    }
    answer(&charge)
}

fn same(before: Charge, asked: &Asked) -> Result<Charge> {
    let amount_fits = before.status == store::VOIDED || before.amount_cents.get() == asked.amount_cents;
    if before.order_id == asked.order_id && amount_fits {
        return Ok(before);
    }
    Err(Problem::invalid("Idempotency-Key", "was used for another charge").into())
}

fn answer(charge: &Charge) -> Result<Response> {
    let not_charged = charge.status == "declined" || charge.status == store::VOIDED;
    response::json(if not_charged { StatusCode::PAYMENT_REQUIRED } else { StatusCode::CREATED }, charge)
}

fn refund(request: &Request) -> Result<Response> {
    let id = request.param("id")?;
    let refunded = store::refund(id)?;
    let charge = store::with_id(id)?.ok_or_else(|| Problem::not_found("charge", id))?;
    if !refunded && charge.status != "refunded" {
        return Err(Problem::conflict(format!("charge {id} is {}", charge.status)).into());
    }
    response::ok(&charge)
}
