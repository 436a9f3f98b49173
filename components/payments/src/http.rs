//! The route: what was paid for an order.

use hull_sdk::health::Report;
use hull_sdk::{Request, Response, Result, Routes, response};
use serde::Serialize;

use crate::store::{self, Payment};

#[derive(Debug, Serialize)]
struct List {
    items: Vec<Payment>,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/health", health).get("/api/payments", list)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("payments").into_response()
}

fn list(request: &Request) -> Result<Response> {
    response::ok(&List { items: store::of_order(request.query().required("orderId")?)? })
}
