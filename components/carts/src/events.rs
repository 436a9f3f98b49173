//! What carts learn from others: an order that was made from a cart empties it.

use hull_sdk::{Event, Outcome, Result, Unit};
use serde::Deserialize;

use crate::cart::{self, Line};

/// What a cart has to know of a new order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    user_id: String,
    items: Vec<Line>,
    #[serde(default)]
    from_cart: bool,
}

/// Handle an event.
pub(crate) fn handle(_unit: &Unit, event: &Event) -> Result<Outcome> {
    if event.subject() != "orders.created" {
        return Ok(Outcome::Reject(format!("carts do not handle {}", event.subject())));
    }
    let order: Created = event.json()?;
    if order.from_cart {
        cart::change(&order.user_id, |cart| {
            cart.ordered(&order.items);
            Ok(())
        })?;
    }
    Ok(Outcome::Ok)
}
