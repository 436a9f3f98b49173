//! The money's part of the checkout. The provider is asked before anything is read or written: a slow call never
//! sits inside an open unit of work, and its answer can be asked for again under the same key.

use hull_sdk::{Event, Message, Outcome, Result, Unit, logging};
use serde::{Deserialize, Serialize};

use crate::account::{self, Status, Step};
use crate::provider::{self, Charge, Verdict};
use crate::store::{self, Charged};

/// `inventory.reserved`: the goods are there, so that they can be charged for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reserved {
    order_id: String,
    user_id: String,
    amount_cents: i64,
    currency: String,
    payment_token: String,
}

/// `orders.cancelled`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled {
    order_id: String,
}

/// `payments.refund-requested`: from this service to itself, because the provider is slow and a unit is not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefundRequested {
    order_id: String,
    charge_id: String,
}

/// `payments.charged`, `payments.declined` and `payments.refunded`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Settled<'a> {
    order_id: &'a str,
    payment_id: &'a str,
    amount_cents: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Handle an event.
pub(crate) fn handle(unit: &Unit, event: &Event) -> Result<Outcome> {
    match event.subject() {
        "inventory.reserved" => charge(unit, event.id(), &event.json()?),
        "orders.cancelled" => cancelled(unit, &event.json()?),
        "payments.refund-requested" => refund(unit, event.id(), &event.json()?),
        other => Ok(Outcome::Reject(format!("payments do not handle {other}"))),
    }
}

fn charge(unit: &Unit, event_id: &str, order: &Reserved) -> Result<Outcome> {
    let asked = Charge {
        order_id: &order.order_id,
        amount_cents: order.amount_cents,
        currency: &order.currency,
        token: &order.payment_token,
    };
    // From here on the provider may have charged: the key makes the next attempt meet this one.
    let verdict = provider::charge(&format!("charge:{event_id}"), &asked)?;
    let (status, charge_id, reason) = match &verdict {
        Verdict::Charged(id) => (Status::Charged, Some(id.as_str()), None),
        Verdict::Declined(reason) => (Status::Declined, None, Some(reason.as_str())),
        Verdict::Unclear(why) => {
            logging::warn("payments", &format!("order {}: {why}", order.order_id));
            return Ok(Outcome::Retry(None));
        }
    };
    let before = store::find(unit, &order.order_id)?.map(|found| found.account);
    let (account, to_refund) = match account::on_verdict(before, status) {
        Step::Keep(account) => (account, None),
        Step::Refund(account) => (account, charge_id),
        Step::Nothing => return Ok(Outcome::Ok),
    };
    let row = Charged {
        order_id: &order.order_id,
        user_id: &order.user_id,
        amount_cents: order.amount_cents,
        currency: &order.currency,
        charge_id,
        reason,
    };
    let payment_id = store::charged(unit, account, &row)?;
    let settled =
        Settled { order_id: &order.order_id, payment_id: &payment_id, amount_cents: order.amount_cents, reason };
    let subject = if status == Status::Charged { "payments.charged" } else { "payments.declined" };
    unit.publish(&Message::json(subject, &settled)?)?;
    request_refund(unit, &order.order_id, to_refund)
}

fn cancelled(unit: &Unit, order: &Cancelled) -> Result<Outcome> {
    let found = store::find(unit, &order.order_id)?;
    let (account, charge_id) = match account::on_cancelled(found.as_ref().map(|f| f.account)) {
        Step::Keep(account) => (account, None),
        Step::Refund(account) => (account, found.as_ref().and_then(|f| f.charge_id.as_deref())),
        Step::Nothing => return Ok(Outcome::Ok),
    };
    store::keep(unit, &order.order_id, account)?;
    request_refund(unit, &order.order_id, charge_id)
}

fn request_refund(unit: &Unit, order_id: &str, charge_id: Option<&str>) -> Result<Outcome> {
    if let Some(charge_id) = charge_id {
        let request = RefundRequested { order_id: order_id.to_owned(), charge_id: charge_id.to_owned() };
        unit.publish(&Message::json("payments.refund-requested", &request)?)?;
    }
    Ok(Outcome::Ok)
}

fn refund(unit: &Unit, event_id: &str, asked: &RefundRequested) -> Result<Outcome> {
    provider::refund(&format!("refund:{event_id}"), &asked.charge_id)?;
    let Some(found) = store::find(unit, &asked.order_id)? else {
        return Ok(Outcome::Reject(format!("nothing is known of order {}", asked.order_id)));
    };
    if let Step::Keep(account) = account::on_refunded(Some(found.account)) {
        store::keep(unit, &asked.order_id, account)?;
        let settled = Settled {
            order_id: &asked.order_id,
            payment_id: &found.payment_id,
            amount_cents: found.amount_cents,
            reason: None,
        };
        unit.publish(&Message::json("payments.refunded", &settled)?)?;
    }
    Ok(Outcome::Ok)
}
