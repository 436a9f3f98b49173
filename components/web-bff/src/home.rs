//! The home page: five services asked side by side, and a page made of those that answered.

use hull_sdk::{Gather, Result, client, p3};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const FEATURED: usize = 8;

/// What the page shows. A part that did not come is null and named in `missing`.
#[derive(Debug, Serialize)]
pub(crate) struct Home {
    user: Option<Value>,
    featured: Option<Vec<Value>>,
    cart: Option<Cart>,
    orders: Option<Vec<Value>>,
    notifications: Option<Vec<Value>>,
    missing: Vec<&'static str>,
}

#[derive(Debug, Deserialize)]
struct List {
    items: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Lines {
    items: Vec<Line>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    product_id: String,
    quantity: u32,
    /// What the catalogue says about it.
    #[serde(default, skip_deserializing)]
    product: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Cart {
    items: Vec<Line>,
}

/// The home page of a user.
pub(crate) async fn of(user: &str) -> Result<Home> {
    let user = client::encoded(user);
    let urls = [
        format!("http://users.internal/api/users/{user}"),
        format!("http://products.internal/api/products?size={FEATURED}"),
        format!("http://carts.internal/api/carts/{user}"),
        format!("http://orders.internal/api/orders?userId={user}"),
        format!("http://notifications.internal/api/notifications/{user}"),
    ];
    let requests = urls.iter().map(|url| client::get(url)).collect::<Result<Vec<_>>>()?;
    let mut answers = p3::send_all(requests).await.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err(unasked()));

    let mut gather = Gather::new();
    let user = gather.take("profile", next());
    let featured = gather.take("products", next()).map(|list: List| list.items);
    let lines = gather.take("cart", next()).map(|lines: Lines| lines.items);
    let orders = gather.take("orders", next()).map(|list: List| list.items);
    let notifications = gather.take("notifications", next()).map(|list: List| list.items);
    let cart = match lines {
        Some(lines) => Some(Cart { items: described(lines, &mut gather).await? }),
        None => None,
    };
    Ok(Home { user, featured, cart, orders, notifications, missing: gather.into_missing() })
}

/// The cart's lines with what the catalogue says about their products.
async fn described(lines: Vec<Line>, gather: &mut Gather) -> Result<Vec<Line>> {
    if lines.is_empty() {
        return Ok(lines);
    }
    let ids: Vec<&str> = lines.iter().map(|line| line.product_id.as_str()).collect();
    let request = client::get(&format!("http://products.internal/api/products?ids={}", ids.join(",")))?;
    let products = gather.take("cart.products", p3::send(request).await).map(|list: List| list.items);
    Ok(joined(lines, &products.unwrap_or_default()))
}

fn joined(lines: Vec<Line>, products: &[Value]) -> Vec<Line> {
    let named = |mut line: Line| {
        line.product = products.iter().find(|product| product["id"] == line.product_id.as_str()).cloned();
        line
    };
    lines.into_iter().map(named).collect()
}

fn unasked() -> client::NoAnswer {
    client::NoAnswer { target: "nobody".to_owned(), why: "was not asked".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn puts_products_beside_their_lines() {
        let line = |id: &str| Line { product_id: id.to_owned(), quantity: 1, product: None };
        let joined = joined(vec![line("a"), line("gone")], &[json!({"id": "a", "name": "Mug"})]);
        let shown = serde_json::to_value(joined).expect("JSON");
        assert_eq!(shown[0], json!({"productId": "a", "quantity": 1, "product": {"id": "a", "name": "Mug"}}));
        assert_eq!(shown[1]["product"], Value::Null);
    }
}
