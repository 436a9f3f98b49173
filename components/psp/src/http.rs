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
        .post("/charges/:id/refund", refund)
        .post("/psp/charges", charge)
        .get("/psp/charges", list)
        .post("/psp/charges/:id/refund", refund)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("charges").into_response()
}

fn list(request: &Request) -> Result<Response> {
    response::ok(&List { items: store::of_order(request.query().required("orderId")?)? })
}

fn charge(request: &Request) -> Result<Response> {
    let missing = || Problem::bad_request("a charge needs an Idempotency-Key").with_field("Idempotency-Key");
    let key = request.header("idempotency-key").filter(|key| !key.is_empty()).ok_or_else(missing)?;
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
    let charge = Charge {
        id: ids::new_id(),
        idempotency_key: key.to_owned(),
        order_id: asked.order_id.clone(),
        amount_cents: Cents::try_from(asked.amount_cents).unwrap_or_default(),
        currency: asked.currency.clone(),
        status: status.to_owned(),
        created_at: clock::now_ms(),
    };
    match store::add(&charge) {
        Ok(()) => Ok(charge),
        Err(error) if error.is_unique_violation() => match store::with_key(key)? {
            Some(before) => same(before, asked),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn same(before: Charge, asked: &Asked) -> Result<Charge> {
    if before.order_id == asked.order_id && before.amount_cents.get() == asked.amount_cents {
        return Ok(before);
    }
    Err(Problem::invalid("Idempotency-Key", "was used for another charge").into())
}

fn answer(charge: &Charge) -> Result<Response> {
    let status = if charge.status == "declined" { StatusCode::PAYMENT_REQUIRED } else { StatusCode::CREATED };
    response::json(status, charge)
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
