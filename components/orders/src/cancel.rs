//! Changes by hand: the customer cancels, or somebody writes a note.

use hull_sdk::{Problem, Result, transaction};

use crate::events;
use crate::order::{Fact, Order, Refused};
use crate::store;

/// Cancel an order while it can still be undone; cancelling twice is cancelling once.
pub(crate) fn cancel(order_id: &str) -> Result<Order> {
    change(order_id, Order::cancelled_by_customer)
}

/// Write a note on an order.
pub(crate) fn note(order_id: &str, text: &str) -> Result<Order> {
    change(order_id, |order| order.noted(text))
}

fn change(order_id: &str, decide: impl Fn(&Order) -> Result<Vec<Fact>, Refused>) -> Result<Order> {
    transaction(|unit| {
        let loaded = store::load(order_id, None)?;
        let mut order = loaded.ok_or_else(|| Problem::not_found("order", order_id))?;
        let facts = decide(&order).map_err(|refused| Problem::conflict(refused.to_string()))?;
        if !facts.is_empty() {
            store::append(unit, &mut order, &facts)?;
            events::tell(unit, &order, &facts)?;
        }
        Ok(order)
    })
}
