//! The money's part of the checkout. The provider is asked before anything is read or written: a slow call never
//! sits inside an open unit of work, and its answer can be asked for again under the same key.

use hull_sdk::{Error, Event, Message, Outcome, Result, Unit, clock, config, logging};
use serde::{Deserialize, Serialize};

use crate::account::{self, Status, Step};
use crate::offer;
use crate::provider::{self, Charge, Verdict};
use crate::store::{self, Charged};

/// After this long, every attempt that was under way when an order was cancelled has ended. Where the manifest does not
/// say it.
const SETTLE_AFTER_MS: u64 = 60_000;

/// `inventory.reserved`: the goods are there, so that they can be charged for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reserved {
    order_id: String,
    user_id: String,
    amount_cents: i64,
    currency: String,
}

/// `orders.cancelled`, and `payments.settlement-due` from this service to itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfOrder {
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
        "inventory.reserved" => charge(unit, &event.json()?),
        "orders.cancelled" => cancelled(unit, &event.json()?),
        "payments.settlement-due" => settle(unit, &event.json::<OfOrder>()?.order_id),
        "payments.refund-requested" => refund(unit, event.id(), &event.json()?),
        other => Ok(Outcome::Reject(format!("payments do not handle {other}"))),
    }
}

fn charge(unit: &Unit, order: &Reserved) -> Result<Outcome> {
    let known = offer::known(&order.order_id)?;
    if known.is_settled() {
        return Ok(Outcome::Ok);
    }
    // From here on the provider may have charged: its key makes the next attempt meet this one.
    let verdict = match known.to_charge() {
        Some(token) => provider::charge(&Charge {
            order_id: &order.order_id,
            amount_cents: order.amount_cents,
            currency: &order.currency,
            token,
        })?,
        None => provider::void(&order.order_id)?,
    };
    let row = Charged {
        order_id: &order.order_id,
        user_id: Some(&order.user_id),
        amount_cents: order.amount_cents,
        currency: &order.currency,
        charge_id: None,
        reason: None,
    };
    match verdict {
        Verdict::Charged(line) => settled(unit, Status::Charged, &Charged { charge_id: Some(&line.id), ..row }),
        Verdict::Declined(reason) => settled(unit, Status::Declined, &Charged { reason: Some(&reason), ..row }),
        Verdict::Unclear(why) => Ok(unclear(&order.order_id, &why)),
    }
}

/// Write down what the provider has said, and tell it.
fn settled(unit: &Unit, status: Status, row: &Charged<'_>) -> Result<Outcome> {
    let before = store::find(unit, row.order_id)?.map(|found| found.account);
    offer::forget(unit, row.order_id)?;
    let (account, to_refund) = match account::on_verdict(before, status) {
        Step::Refund(account) => (account, row.charge_id),
        Step::Keep(account) | Step::Settle(account) => (account, None),
        Step::Nothing => return Ok(Outcome::Ok),
    };
    let payment_id = store::charged(unit, account, row)?;
    let settled =
        Settled { order_id: row.order_id, payment_id: &payment_id, amount_cents: row.amount_cents, reason: row.reason };
    let subject = if status == Status::Charged { "payments.charged" } else { "payments.declined" };
    unit.publish(&Message::json(subject, &settled)?)?;
    request_refund(unit, row.order_id, to_refund)
}

fn unclear(order_id: &str, why: &str) -> Outcome {
    logging::warn("payments", &format!("order {order_id}: {why}"));
    Outcome::Retry(None)
}

fn cancelled(unit: &Unit, order: &OfOrder) -> Result<Outcome> {
    let found = store::find(unit, &order.order_id)?;
    let (account, charge_id) = match account::on_cancelled(found.as_ref().map(|f| f.account)) {
        Step::Keep(account) => (account, None),
        Step::Refund(account) => (account, found.as_ref().and_then(|f| f.charge_id.as_deref())),
        Step::Settle(account) => {
            settle_later(unit, &order.order_id)?;
            (account, None)
        }
        Step::Nothing => return Ok(Outcome::Ok),
    };
    store::keep(unit, &order.order_id, account)?;
    request_refund(unit, &order.order_id, charge_id)
}

fn settle_later(unit: &Unit, order_id: &str) -> Result<()> {
    let due = u64::try_from(clock::now_ms()).unwrap_or_default().saturating_add(settle_after_ms()?);
    let message = Message::json("payments.settlement-due", &OfOrder { order_id: order_id.to_owned() })?;
    unit.publish(&message.deliver_at(due))?;
    Ok(())
}

fn settle_after_ms() -> Result<u64> {
    let Some(seconds) = config::get("settle_after_s")? else { return Ok(SETTLE_AFTER_MS) };
    let wrong = |_| Error::Fault(format!("the variable settle_after_s is {seconds}, not a number of seconds"));
    Ok(u64::from(seconds.parse::<u32>().map_err(wrong)?) * 1_000)
}

/// The order was cancelled before its charge had a verdict. What has charged meanwhile was given back; what broke
/// off, or was never tried, is called off, and comes to light if it did charge.
fn settle(unit: &Unit, order_id: &str) -> Result<Outcome> {
    if offer::known(order_id)?.is_settled() {
        return Ok(Outcome::Ok);
    }
    match provider::void(order_id)? {
        Verdict::Charged(line) => {
            let row = Charged {
                order_id,
                user_id: None,
                amount_cents: line.amount_cents,
                currency: &line.currency,
                charge_id: Some(&line.id),
                reason: None,
            };
            settled(unit, Status::Charged, &row)
        }
        Verdict::Declined(_) => offer::forget(unit, order_id).map(|()| Outcome::Ok),
        Verdict::Unclear(why) => Ok(unclear(order_id, &why)),
    }
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
