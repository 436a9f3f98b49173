//! The routes: browse, search and look up for everyone; add and change for the shop's staff.

use hull_sdk::health::Report;
use hull_sdk::http::StatusCode;
use hull_sdk::money::CENTS_MAX;
use hull_sdk::{Cents, Check, Problem, Request, Response, Result, Routes, config, ids, response};
use serde::{Deserialize, Serialize};

use crate::search::Words;
use crate::store::{self, Product, Wanted};

const PAGE_MAX: i64 = 10_000;
const PAGE_ITEMS_DEFAULT: i64 = 20;
const PAGE_ITEMS_MAX: i64 = 100;

/// What staff say about a product.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    description: String,
    category: String,
    price_cents: i64,
    currency: Option<String>,
}

#[derive(Debug, Serialize)]
struct Listing {
    items: Vec<Product>,
    page: i64,
    total: i64,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/health", health)
        .get("/api/products", list)
        .post("/api/products", add)
        .get("/api/products/:id", show)
        .put("/api/products/:id", change)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("products").into_response()
}

fn list(request: &Request) -> Result<Response> {
    let query = request.query();
    if let Some(ids) = query.get("ids") {
        return some(ids);
    }
    let page = query.number("page", 1, 1..=PAGE_MAX)?;
    let limit = query.number("size", PAGE_ITEMS_DEFAULT, 1..=PAGE_ITEMS_MAX)?;
    let typed = query.get("q");
    let matching = typed.and_then(Words::of);
    if typed.is_some() && matching.is_none() {
        // Nothing but punctuation was typed: no word, no match.
        return response::ok(&Listing { items: Vec::new(), page, total: 0 });
    }
    let wanted = Wanted { matching, category: query.get("category"), limit, offset: (page - 1) * limit };
    let (items, total) = store::list(&wanted)?;
    response::ok(&Listing { items, page, total })
}

/// Several at once for other services: one call instead of one for each line of an order.
fn some(ids: &str) -> Result<Response> {
    let ids: Vec<&str> = ids.split(',').collect();
    let most = usize::try_from(PAGE_ITEMS_MAX).unwrap_or(usize::MAX);
    if ids.len() > most {
        return Err(Problem::invalid("ids", format!("must be {most} ids at most")).into());
    }
    let items = store::with_ids(&ids)?;
    let total = i64::try_from(items.len()).unwrap_or(i64::MAX);
    response::ok(&Listing { items, page: 1, total })
}

fn show(request: &Request) -> Result<Response> {
    let id = request.param("id")?;
    let product = store::find(id)?.ok_or_else(|| Problem::not_found("product", id))?;
    response::ok(&product)
}

fn add(request: &Request) -> Result<Response> {
    let product = product(ids::new_id(), request.json()?)?;
    store::add(&product)?;
    response::located(StatusCode::CREATED, &format!("/api/products/{}", product.id), &product)
}

fn change(request: &Request) -> Result<Response> {
    let id = request.param("id")?;
    let product = product(id.to_owned(), request.json()?)?;
    if !store::change(&product)? {
        return Err(Problem::not_found("product", id).into());
    }
    response::ok(&product)
}

fn product(id: String, entry: Entry) -> Result<Product> {
    let currency = match entry.currency {
        Some(currency) => currency,
        None => config::get("currency")?.unwrap_or_else(|| "EUR".to_owned()),
    };
    let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    Check::new()
        .text("name", &entry.name, 1..=120)
        .text("description", &entry.description, 1..=2_000)
        .text("category", &entry.category, 1..=60)
        .range("priceCents", entry.price_cents, 0..=CENTS_MAX)
        .that(is_code, "currency", "must be a currency code such as EUR")
        .done()?;
    Ok(Product {
        id,
        name: entry.name.trim().to_owned(),
        description: entry.description.trim().to_owned(),
        category: entry.category.trim().to_owned(),
        price_cents: Cents::try_from(entry.price_cents).unwrap_or_default(),
        currency,
    })
}
