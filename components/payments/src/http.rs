//! The routes: what was paid for an order; and for other components alone, because no trigger leads there, how an
//! order will be paid.

use hull_sdk::health::Report;
use hull_sdk::{Check, Request, Response, Result, Routes, response, transaction};
use serde::{Deserialize, Serialize};

use crate::offer;
use crate::store::{self, Payment};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Offer {
    payment_token: String,
}

#[derive(Debug, Serialize)]
struct List {
    items: Vec<Payment>,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/health", health)
        .get("/api/payments", list)
        .put("/offers/:order", offered)
        .get("/offers/:order", known)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("payments").into_response()
}

fn list(request: &Request) -> Result<Response> {
    response::ok(&List { items: store::of_order(request.query().required("orderId")?)? })
}

fn offered(request: &Request) -> Result<Response> {
    let order_id = request.param("order")?;
    let offer: Offer = request.json()?;
    Check::new().id("order", order_id).text("paymentToken", &offer.payment_token, 1..=200).done()?;
    transaction(|unit| offer::put(unit, order_id, &offer.payment_token))?;
    Ok(response::no_content())
}

fn known(request: &Request) -> Result<Response> {
    response::ok(&offer::find(request.param("order")?)?)
}
