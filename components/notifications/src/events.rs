//! From the end of an order to the sentence that its user reads.

use hull_sdk::{Cents, Event, Outcome, Result, Unit, clock, ids};
use serde::Deserialize;

use crate::store::{self, Notification};

/// `orders.confirmed` and `orders.cancelled`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    order_id: String,
    user_id: String,
    total_cents: Cents,
    currency: String,
    reason: Option<String>,
}

/// Handle an event.
pub(crate) fn handle(_unit: &Unit, event: &Event) -> Result<Outcome> {
    let kind = match event.subject() {
        "orders.confirmed" => "confirmed",
        "orders.cancelled" => "cancelled",
        other => return Ok(Outcome::Reject(format!("notifications do not handle {other}"))),
    };
    let ended: Ended = event.json()?;
    let new = Notification {
        id: ids::new_id(),
        order_id: ended.order_id.clone(),
        kind: kind.to_owned(),
        text: sentence(kind, &ended),
        created_at: clock::now_ms(),
    };
    store::add(&ended.user_id, &new)?;
    Ok(Outcome::Ok)
}

fn sentence(kind: &str, order: &Ended) -> String {
    let Ended { order_id, total_cents, currency, reason, .. } = order;
    match reason {
        Some(reason) => format!("Your order {order_id} over {total_cents} {currency} is {kind}: {reason}."),
        None => format!("Your order {order_id} over {total_cents} {currency} is {kind}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_and_why() {
        let json = r#"{"orderId":"o1","userId":"u1","totalCents":1999,"currency":"EUR"}"#;
        let mut order: Ended = hull_sdk::json::parse(json.as_bytes()).expect("fits");
        assert_eq!(sentence("confirmed", &order), "Your order o1 over 19.99 EUR is confirmed.");
        order.reason = Some("out of stock".to_owned());
        assert_eq!(sentence("cancelled", &order), "Your order o1 over 19.99 EUR is cancelled: out of stock.");
    }
}
