//! What an order asks of the other services before it is placed: who the user is, what is in the cart, what the
//! products cost; and how it will be paid is handed to payments. All of it before the unit of work, because nobody else's answer may hold up a writer.

use hull_sdk::client::{self, NoAnswer};
use hull_sdk::http::StatusCode;
use hull_sdk::{Check, Error, Problem, Response, Result};
use serde::{Deserialize, Serialize};

use crate::pricing::{self, LINES_MAX, Priced, Product, Wanted};

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Product>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Offer<'a> {
    payment_token: &'a str,
}

#[derive(Debug, Deserialize)]
struct Cart {
    items: Vec<CartLine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CartLine {
    product_id: String,
    quantity: u32,
}

/// Lines that the customer has named, with their prices.
pub(crate) fn ordered(user_id: &str, wanted: &[Wanted]) -> Result<Priced> {
    let [user, products] = client::send_all([user_of(user_id)?, products_of(wanted)?]);
    known(user)?;
    Ok(pricing::price(wanted, &page(products)?)?)
}

/// What is in the customer's cart, with its prices.
pub(crate) fn from_cart(user_id: &str) -> Result<Priced> {
    let cart = client::get(&format!("http://carts.internal/api/carts/{user_id}"))?;
    let [user, cart] = client::send_all([user_of(user_id)?, cart]);
    known(user)?;
    let cart: Cart = client::read("carts", &expected("carts", cart?)?)?;
    Check::new()
        .that(!cart.items.is_empty(), "fromCart", "needs something in the cart")
        .that(cart.items.len() <= LINES_MAX, "fromCart", "the cart holds too many products for one order")
        .done()?;
    let lines = cart.items.into_iter();
    let wanted: Vec<Wanted> =
        lines.map(|line| Wanted { product_id: line.product_id, quantity: line.quantity }).collect();
    let products = client::send(products_of(&wanted)?);
    Ok(pricing::price(&wanted, &page(products)?)?)
}

/// Hand over how an order is to be paid. It goes straight to the one who charges, because whatever is published lies
/// in the bus for days and is read by everyone who subscribes.
pub(crate) fn offer_payment(order_id: &str, payment_token: &str) -> Result<()> {
    let offer = Offer { payment_token };
    let request = client::put(&format!("http://payments.internal/offers/{order_id}"), &offer)?;
    let answer = client::send(request)?;
    if answer.status() != StatusCode::NO_CONTENT {
        return Err(Error::Unavailable(format!("payments answered {}", answer.status())));
    }
    Ok(())
}

fn user_of(user_id: &str) -> Result<client::Request> {
    client::get(&format!("http://users.internal/api/users/{user_id}"))
}

fn products_of(wanted: &[Wanted]) -> Result<client::Request> {
    let mut ids: Vec<&str> = wanted.iter().map(|want| want.product_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    client::get(&format!("http://products.internal/api/products?ids={}", ids.join(",")))
}

fn known(user: Result<Response, NoAnswer>) -> Result<()> {
    let user = user?;
    if user.status() == StatusCode::NOT_FOUND {
        return Err(Problem::invalid("userId", "there is no such user").into());
    }
    expected("users", user).map(drop)
}

fn page(products: Result<Response, NoAnswer>) -> Result<Vec<Product>> {
    let page: Page = client::read("products", &expected("products", products?)?)?;
    Ok(page.items)
}

fn expected(who: &str, answer: Response) -> Result<Response> {
    if answer.status() == StatusCode::OK {
        return Ok(answer);
    }
    Err(Error::Unavailable(format!("{who} answered {}", answer.status())))
}
