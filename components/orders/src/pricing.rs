//! From what a customer asks for to lines with prices and a total. Pure.

use hull_sdk::problem::FieldError;
use hull_sdk::{Cents, Problem};
use serde::{Deserialize, Serialize};

use crate::order::Line;

/// The most different products in one order.
pub(crate) const LINES_MAX: usize = 50;
/// The most of one product.
pub(crate) const QUANTITY_MAX: u32 = 1_000;

/// So many of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wanted {
    pub(crate) product_id: String,
    pub(crate) quantity: u32,
}

/// What an order has to know of a product.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) price_cents: Cents,
    pub(crate) currency: String,
}

/// What the lines cost together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    pub(crate) items: Vec<Line>,
    pub(crate) total_cents: Cents,
    pub(crate) currency: String,
}

/// Put a price on everything that is wanted. A product that is wanted twice becomes one line.
pub(crate) fn price(wanted: &[Wanted], products: &[Product]) -> Result<Priced, Problem> {
    let mut errors = Vec::new();
    let mut items: Vec<Line> = Vec::new();
    let currency = products.first().map(|product| product.currency.clone()).unwrap_or_default();
    for (n, want) in wanted.iter().enumerate() {
        let mut wrong = |field: &str, detail: &str| {
            errors.push(FieldError { field: format!("items[{n}].{field}"), detail: detail.to_owned() });
        };
        let Some(product) = products.iter().find(|product| product.id == want.product_id) else {
            wrong("productId", "there is no such product");
            continue;
        };
        if product.currency != currency {
            wrong("productId", "is sold in another currency than the rest of the order");
            continue;
        }
        let before = items.iter_mut().find(|line| line.product_id == product.id);
        let quantity = before.as_ref().map_or(0, |line| line.quantity).saturating_add(want.quantity);
        if quantity > QUANTITY_MAX {
            wrong("quantity", "is too much together with another line of the same product");
            continue;
        }
        match before {
            Some(line) => line.quantity = quantity,
            None => items.push(Line {
                product_id: product.id.clone(),
                name: product.name.clone(),
                quantity,
                price_cents: product.price_cents,
            }),
        }
    }
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
    }
    let total_cents = total(&items)?;
    Ok(Priced { items, total_cents, currency })
}

fn total(items: &[Line]) -> Result<Cents, Problem> {
    let sum = items.iter().try_fold(Cents::ZERO, |sum, line| sum.plus(line.price_cents.times(line.quantity)?));
    sum.map_err(|_| Problem::invalid("items", "cost more together than an order may"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: &str, cents: i64, currency: &str) -> Product {
        let price_cents = Cents::try_from(cents).expect("an amount");
        Product { id: id.into(), name: id.to_uppercase(), price_cents, currency: currency.into() }
    }

    fn want(product_id: &str, quantity: u32) -> Wanted {
        Wanted { product_id: product_id.into(), quantity }
    }

    #[test]
    fn adds_up_and_joins_lines() {
        let products = [product("a", 250, "EUR"), product("b", 999, "EUR")];
        let priced = price(&[want("b", 1), want("a", 2), want("b", 2)], &products).expect("priced");
        assert_eq!(priced.total_cents.get(), 3 * 999 + 2 * 250);
        assert_eq!(priced.items.len(), 2);
        assert_eq!((priced.items[0].name.as_str(), priced.items[0].quantity), ("B", 3));
    }

    #[test]
    fn names_each_line_that_cannot_be_sold() {
        let products = [product("a", 250, "EUR"), product("c", 1, "CHF")];
        let problem = price(&[want("a", 1), want("x", 1), want("c", 1)], &products).expect_err("refused");
        assert_eq!(problem.field(), Some("items[1].productId"));
        assert!(problem.detail().contains("items[2].productId"));
        let twice = price(&[want("a", QUANTITY_MAX), want("a", 1)], &products).expect_err("too much");
        assert_eq!(twice.field(), Some("items[1].quantity"));
    }

    #[test]
    fn refuses_more_money_than_there_is() {
        let dear = [product("a", hull_sdk::money::CENTS_MAX, "EUR")];
        assert!(price(&[want("a", 2)], &dear).is_err());
    }
}
