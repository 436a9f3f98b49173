//! The routes: place, look up (now or as it was), list, cancel, annotate, rebuild.

use hull_sdk::health::Report;
use hull_sdk::http::StatusCode;
use hull_sdk::{Cents, Check, Problem, Request, Response, Result, Routes, clock, response};
use serde::{Deserialize, Serialize};

use crate::order::{Line, Order, Status};
use crate::place::Asked;
use crate::store::{self, Recorded};
use crate::{cancel, place, rebuild, view};

const KEY_BYTES_MAX: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted<'a> {
    order_id: &'a str,
    status: Status,
    total_cents: Cents,
    currency: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    order_id: &'a str,
    user_id: &'a str,
    status: Status,
    reason: Option<&'a str>,
    total_cents: Cents,
    currency: &'a str,
    items: &'a [Line],
    version: i64,
    #[serde(serialize_with = "clock::as_rfc3339")]
    created_at: i64,
    #[serde(serialize_with = "clock::as_rfc3339")]
    updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Recorded>>,
}

#[derive(Debug, Serialize)]
struct List<'a> {
    items: Vec<Shown<'a>>,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/health", health)
        .post("/api/orders", create)
        .get("/api/orders", list)
        .post("/api/orders/_rebuild", rebuilt)
        .get("/api/orders/:id", show)
        .post("/api/orders/:id/cancel", cancelled)
        .post("/api/orders/:id/notes", noted)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("order_events").into_response()
}

fn create(request: &Request) -> Result<Response> {
    let missing = || {
        let told = "an order needs an Idempotency-Key: 1 to 200 visible characters, another one for each order";
        Problem::bad_request(told).with_field("Idempotency-Key")
    };
    let fits = |key: &&str| (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    let key = request.header("idempotency-key").filter(fits).ok_or_else(missing)?;
    let asked: Asked = request.json()?;
    asked.check()?;
    let order = place::place(key, &asked)?;
    let accepted = Accepted {
        order_id: &order.order_id,
        status: order.status,
        total_cents: order.total_cents,
        currency: &order.currency,
    };
    response::located(StatusCode::ACCEPTED, &format!("/api/orders/{}", order.order_id), &accepted)
}

fn list(request: &Request) -> Result<Response> {
    let orders = view::of_user(request.query().required("userId")?)?;
    response::ok(&List { items: orders.iter().map(|order| shown(order, None)).collect() })
}

fn show(request: &Request) -> Result<Response> {
    let id = request.param("id")?;
    let query = request.query();
    let until = match query.get("at") {
        None => None,
        // An unescaped plus of an offset arrives as a space.
        Some(text) => Some(clock::parse_rfc3339(&text.replace(' ', "+")).ok_or_else(|| {
            let told = "must be a time such as 2026-01-31T12:00:00Z";
            Problem::invalid("at", told).with_status(StatusCode::BAD_REQUEST)
        })?),
    };
    let order = if until.is_some() { store::load(id, until)? } else { view::find(id)? };
    let order = order.ok_or_else(|| Problem::not_found("order", id))?;
    response::ok(&shown(&order, Some(store::history(id, until)?)))
}

fn cancelled(request: &Request) -> Result<Response> {
    let order = cancel::cancel(request.param("id")?)?;
    response::ok(&shown(&order, None))
}

fn noted(request: &Request) -> Result<Response> {
    let note: Note = request.json()?;
    Check::new().text("text", &note.text, 1..=500).done()?;
    let order = cancel::note(request.param("id")?, note.text.trim())?;
    response::json(StatusCode::CREATED, &shown(&order, None))
}

fn rebuilt(request: &Request) -> Result<Response> {
    response::ok(&rebuild::run(request.query().get("after").unwrap_or_default())?)
}

fn shown(order: &Order, history: Option<Vec<Recorded>>) -> Shown<'_> {
    Shown {
        order_id: &order.order_id,
        user_id: &order.user_id,
        status: order.status,
        reason: order.reason.as_deref(),
        total_cents: order.total_cents,
        currency: &order.currency,
        items: &order.items,
        version: order.version,
        created_at: order.created_at,
        updated_at: order.updated_at,
        history,
    }
}
