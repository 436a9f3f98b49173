//! What orders hear from others and tell them: the decisions of the checkout.

use hull_sdk::{Cents, Error, Event, Message, Outcome, Result, Unit, config};
use serde::{Deserialize, Serialize};

use crate::order::{Fact, Line, Order};
use crate::store;

/// How long an order may be pending where the manifest does not say it.
const PAYMENT_TIME_MS: i64 = 15 * 60 * 1_000;

/// What others say about an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    order_id: String,
    payment_id: Option<String>,
    reason: Option<String>,
}

/// `orders.created`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    order_id: &'a str,
    user_id: &'a str,
    items: Vec<CreatedLine<'a>>,
    total_cents: Cents,
    currency: &'a str,
    from_cart: bool,
}

/// `orders.overdue`: from this service to itself, for the time when an order has to have ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overdue<'a> {
    order_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CreatedLine<'a> {
    product_id: &'a str,
    quantity: u32,
    price_cents: Cents,
}

impl<'a> From<&'a Line> for CreatedLine<'a> {
    fn from(line: &'a Line) -> Self {
        Self { product_id: &line.product_id, quantity: line.quantity, price_cents: line.price_cents }
    }
}

/// `orders.confirmed` and `orders.cancelled`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended<'a> {
    order_id: &'a str,
    user_id: &'a str,
    total_cents: Cents,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Handle an event.
pub(crate) fn handle(unit: &Unit, event: &Event) -> Result<Outcome> {
    let said: Said = event.json()?;
    let because = |otherwise: &str| said.reason.clone().unwrap_or_else(|| otherwise.to_owned());
    let payment_id = said.payment_id.clone().unwrap_or_default();
    let fact = match event.subject() {
        "inventory.reserved" => Some(Fact::Reserved),
        "inventory.rejected" => Some(Fact::Rejected { reason: because("out of stock") }),
        "payments.charged" => Some(Fact::Charged { payment_id }),
        "payments.declined" => Some(Fact::Declined { reason: because("the payment was declined") }),
        "payments.refunded" => Some(Fact::Refunded { payment_id }),
        "orders.overdue" => None,
        other => return Ok(Outcome::Reject(format!("orders do not handle {other}"))),
    };
    let Some(mut order) = store::load(&said.order_id, None)? else {
        return Ok(Outcome::Reject(format!("there is no order {}", said.order_id)));
    };
    // The same thing said again, in an event of its own, is nothing new.
    if let Some(fact) = &fact
        && store::has_happened(&order.order_id, fact)?
    {
        return Ok(Outcome::Ok);
    }
    let facts = fact.map_or_else(|| order.overdue(), |fact| order.heard(fact));
    if !facts.is_empty() {
        store::append(unit, &mut order, &facts)?;
        tell(unit, &order, &facts)?;
    }
    Ok(Outcome::Ok)
}

/// Tell everyone what has been decided.
pub(crate) fn tell(unit: &Unit, order: &Order, facts: &[Fact]) -> Result<()> {
    for fact in facts {
        let (subject, reason) = match fact {
            Fact::Confirmed => ("orders.confirmed", None),
            Fact::Cancelled { reason } => ("orders.cancelled", Some(reason.as_str())),
            _ => continue,
        };
        let ended = Ended {
            order_id: &order.order_id,
            user_id: &order.user_id,
            total_cents: order.total_cents,
            currency: &order.currency,
            reason,
        };
        unit.publish(&Message::json(subject, &ended)?)?;
    }
    Ok(())
}

/// Tell everyone of a new order, and remind this service of it when it has to have ended.
pub(crate) fn begun(unit: &Unit, order: &Order, from_cart: bool) -> Result<()> {
    let created = Created {
        order_id: &order.order_id,
        user_id: &order.user_id,
        items: order.items.iter().map(CreatedLine::from).collect(),
        total_cents: order.total_cents,
        currency: &order.currency,
        from_cart,
    };
    unit.publish(&Message::json("orders.created", &created)?)?;
    let due = order.created_at.saturating_add(payment_time_ms()?);
    let overdue = Message::json("orders.overdue", &Overdue { order_id: &order.order_id })?;
    unit.publish(&overdue.deliver_at(u64::try_from(due).unwrap_or_default()))?;
    Ok(())
}

fn payment_time_ms() -> Result<i64> {
    let Some(seconds) = config::get("payment_time_s")? else { return Ok(PAYMENT_TIME_MS) };
    let wrong = |_| Error::Fault(format!("the variable payment_time_s is {seconds}, not a number of seconds"));
    Ok(i64::from(seconds.parse::<u32>().map_err(wrong)?) * 1_000)
}
