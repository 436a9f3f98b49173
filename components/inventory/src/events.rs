//! What inventory learns from orders, and what it says to it: the stock's part of the checkout.

use hull_sdk::{Event, Message, Outcome, Result, Unit};
use serde::{Deserialize, Serialize};

use crate::reservation::{self, State, Step};
use crate::store::{self, Line};

/// `orders.created`. What it costs is not ours, but payments needs it once the stock is there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    order_id: String,
    user_id: String,
    items: Vec<Line>,
    total_cents: i64,
    currency: String,
}

/// `orders.confirmed` and `orders.cancelled`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    order_id: String,
}

/// `inventory.reserved`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reserved<'a> {
    order_id: &'a str,
    user_id: &'a str,
    amount_cents: i64,
    currency: &'a str,
}

/// `inventory.rejected`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected<'a> {
    order_id: &'a str,
    product_id: &'a str,
    reason: String,
}

/// Handle an event.
pub(crate) fn handle(unit: &Unit, event: &Event) -> Result<Outcome> {
    match event.subject() {
        "orders.created" => created(unit, &event.json()?),
        "orders.confirmed" => {
            let Ended { order_id } = event.json()?;
            ended(unit, &order_id, reservation::on_confirmed(store::state(&order_id)?))
        }
        "orders.cancelled" => {
            let Ended { order_id } = event.json()?;
            ended(unit, &order_id, reservation::on_cancelled(store::state(&order_id)?))
        }
        other => Ok(Outcome::Reject(format!("inventory does not handle {other}"))),
    }
}

fn created(unit: &Unit, order: &Created) -> Result<Outcome> {
    if reservation::on_created(store::state(&order.order_id)?) != Step::Reserve {
        return Ok(Outcome::Ok);
    }
    if let Some(line) = store::short_of(&order.items)? {
        store::remember(unit, &order.order_id, State::Refused)?;
        let reason = format!("out of stock: product {}", line.product_id);
        let rejected = Rejected { order_id: &order.order_id, product_id: &line.product_id, reason };
        unit.publish(&Message::json("inventory.rejected", &rejected)?)?;
        return Ok(Outcome::Ok);
    }
    store::hold(unit, &order.order_id, &order.items)?;
    let reserved = Reserved {
        order_id: &order.order_id,
        user_id: &order.user_id,
        amount_cents: order.total_cents,
        currency: &order.currency,
    };
    // An order is reserved for once, so the event has the order's id: said again, it is the same event.
    unit.publish(&Message::json("inventory.reserved", &reserved)?.id(&order.order_id))?;
    Ok(Outcome::Ok)
}

fn ended(unit: &Unit, order_id: &str, step: Step) -> Result<Outcome> {
    match step {
        Step::Commit => store::commit(unit, order_id)?,
        Step::Release => store::release(unit, order_id)?,
        Step::Remember => store::remember(unit, order_id, State::Released)?,
        Step::Nothing => {}
        Step::Reserve | Step::Contradiction => {
            return Ok(Outcome::Reject(format!("order {order_id} has ended otherwise before")));
        }
    }
    Ok(Outcome::Ok)
}
