//! The routes: look into a cart, put something in, take it out.

use hull_sdk::health::Report;
use hull_sdk::{Check, Request, Response, Result, Routes, response};
use serde::{Deserialize, Serialize};

use crate::cart::{self, Cart, QUANTITY_MAX};

const NAME_BYTES_MAX: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    quantity: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    user_id: &'a str,
    #[serde(flatten)]
    cart: Cart,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/health", health)
        .get("/api/carts/:user", show)
        .put("/api/carts/:user/items/:product", put)
        .delete("/api/carts/:user/items/:product", remove)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().part("store", cart::load("health")).into_response()
}

fn show(request: &Request) -> Result<Response> {
    let user = name(request, "user")?;
    response::ok(&Shown { user_id: user, cart: cart::load(user)? })
}

fn put(request: &Request) -> Result<Response> {
    let (user, product) = (name(request, "user")?, name(request, "product")?);
    let Amount { quantity } = request.json()?;
    Check::new().range("quantity", quantity.into(), 1..=QUANTITY_MAX.into()).done()?;
    let cart = cart::change(user, |cart| cart.put(product, quantity))?;
    response::ok(&Shown { user_id: user, cart })
}

fn remove(request: &Request) -> Result<Response> {
    let (user, product) = (name(request, "user")?, name(request, "product")?);
    cart::change(user, |cart| {
        cart.remove(product);
        Ok(())
    })?;
    Ok(response::no_content())
}

/// A part of the path that becomes part of a key.
fn name<'r>(request: &'r Request, param: &str) -> Result<&'r str> {
    let text = request.param(param)?;
    let fits = text.len() <= NAME_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    Check::new().that(fits, param, "must be an id: letters, digits, '-', '_' and '.', 64 at most").done()?;
    Ok(text)
}
