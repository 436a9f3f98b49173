//! The home screen: four services asked side by side, and figures made of those that answered.

use hull_sdk::{Gather, Result, client};
use serde::{Deserialize, Serialize};

/// What the screen shows. A figure that is not known is null, and its part named in `missing`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Home {
    name: Option<String>,
    cart_count: Option<u32>,
    latest_order: Option<Order>,
    notification_count: Option<usize>,
    missing: Vec<&'static str>,
}

#[derive(Debug, Deserialize)]
struct User {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Cart {
    items: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    quantity: u32,
}

#[derive(Debug, Deserialize)]
struct Orders {
    items: Vec<Order>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Notifications {
    items: Vec<serde_json::Value>,
}

/// The home screen of a user.
pub(crate) fn of(user: &str) -> Result<Home> {
    let user = client::encoded(user);
    let [profile, cart, orders, notifications] = client::send_all([
        client::get(&format!("http://users.internal/api/users/{user}"))?,
        client::get(&format!("http://carts.internal/api/carts/{user}"))?,
        client::get(&format!("http://orders.internal/api/orders?userId={user}"))?,
        client::get(&format!("http://notifications.internal/api/notifications/{user}"))?,
    ]);
    let mut gather = Gather::new();
    let name = gather.take("profile", profile).map(|user: User| user.name);
    let cart_count = gather.take("cart", cart).map(|cart: Cart| count(&cart));
    let latest_order = gather.take("orders", orders).and_then(|orders: Orders| orders.items.into_iter().next());
    let notification_count = gather.take("notifications", notifications).map(|n: Notifications| n.items.len());
    Ok(Home { name, cart_count, latest_order, notification_count, missing: gather.into_missing() })
}

fn count(cart: &Cart) -> u32 {
    cart.items.iter().fold(0, |sum, line| sum.saturating_add(line.quantity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_pieces_and_not_lines() {
        let cart = Cart { items: vec![Line { quantity: 2 }, Line { quantity: 3 }] };
        assert_eq!(count(&cart), 5);
        assert_eq!(count(&Cart { items: vec![Line { quantity: u32::MAX }, Line { quantity: 3 }] }), u32::MAX);
    }
}
