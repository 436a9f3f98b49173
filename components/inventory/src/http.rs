//! The routes: how much there is, and for staff: how much there is now.

use hull_sdk::health::Report;
use hull_sdk::{Check, Problem, Request, Response, Result, Routes, response};
use serde::Deserialize;

use crate::store;

const AVAILABLE_MAX: i64 = 1_000_000_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    available: i64,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/health", health).get("/api/inventory/:product", show).put("/api/inventory/:product", set)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("stock").into_response()
}

fn show(request: &Request) -> Result<Response> {
    let product = request.param("product")?;
    let stock = store::stock(product)?.ok_or_else(|| Problem::not_found("stock of product", product))?;
    response::ok(&stock)
}

fn set(request: &Request) -> Result<Response> {
    let product = request.param("product")?;
    let count: Count = request.json()?;
    Check::new().id("product", product).range("available", count.available, 0..=AVAILABLE_MAX).done()?;
    store::set_available(product, count.available)?;
    show(request)
}
