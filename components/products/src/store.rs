//! The catalogue's table and its full-text index.

use hull_sdk::sql::{self, Row, Value};
use hull_sdk::{Cents, Result, params};
use serde::Serialize;

use crate::search::Words;

/// A product as everyone sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) category: String,
    pub(crate) price_cents: Cents,
    pub(crate) currency: String,
}

/// What is looked for, and which part of it.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// Words to look for.
    pub(crate) matching: Option<Words>,
    pub(crate) category: Option<&'a str>,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
}

const COLUMNS: &str = "p.id, p.name, p.description, p.category, p.price_cents, p.currency";

/// The products that are wanted, best match or name first, and how many there are in all.
pub(crate) fn list(wanted: &Wanted<'_>) -> Result<(Vec<Product>, i64)> {
    let (expression, from, order) = match &wanted.matching {
        Some(words) => found_by(words)?,
        None => (
            None,
            "products p WHERE CAST($1 AS TEXT) IS NULL AND (CAST($2 AS TEXT) IS NULL OR p.category = $2)",
            "p.name, p.id",
        ),
    };
    let total =
        sql::query_one(&format!("SELECT count(*) AS n FROM {from}"), params![expression.clone(), wanted.category])?;
    let rows = sql::query(
        &format!("SELECT {COLUMNS} FROM {from} ORDER BY {order} LIMIT $3 OFFSET $4"),
        params![expression, wanted.category, wanted.limit, wanted.offset],
    )?;
    let total = total.map_or(Ok(0), |row| row.get("n"))?;
    Ok((rows.iter().map(read).collect::<Result<_>>()?, total))
}

/// The expression that finds words, in what it finds them, and the order of what it finds.
fn found_by(words: &Words) -> Result<(Option<String>, &'static str, &'static str)> {
    let by =
        sql::query_one("SELECT name FROM search_by", params![])?.map(|row| row.get::<String>("name")).transpose()?;
    Ok(match by.as_deref() {
        Some("tsvector") => (
            Some(words.for_tsquery()),
            "products p WHERE p.words @@ to_tsquery('english', $1) AND (CAST($2 AS TEXT) IS NULL OR p.category = $2)",
            "ts_rank(p.words, to_tsquery('english', $1)) DESC, p.name",
        ),
        _ => (
            Some(words.for_fts5()),
            "products_search s JOIN products p ON p.place = s.rowid
             WHERE products_search MATCH $1 AND (CAST($2 AS TEXT) IS NULL OR p.category = $2)",
            "s.rank, p.name",
        ),
    })
}

/// The products with these ids; ids that are not there are left out.
pub(crate) fn with_ids(ids: &[&str]) -> Result<Vec<Product>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
    let statement = format!("SELECT {COLUMNS} FROM products p WHERE p.id IN ({}) ORDER BY p.id", places.join(", "));
    let values: Vec<Value> = ids.iter().map(|id| Value::from(*id)).collect();
    sql::query(&statement, &values)?.iter().map(read).collect()
}

/// The product with this id.
pub(crate) fn find(id: &str) -> Result<Option<Product>> {
    let row = sql::query_one(&format!("SELECT {COLUMNS} FROM products p WHERE p.id = $1"), params![id])?;
    row.map(|row| read(&row)).transpose()
}

/// Add a product.
pub(crate) fn add(product: &Product) -> Result<()> {
    sql::execute(
        "INSERT INTO products (id, name, description, category, price_cents, currency)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &values(product),
    )?;
    Ok(())
}

/// Change all of a product; false if it is not there.
pub(crate) fn change(product: &Product) -> Result<bool> {
    let changed = sql::execute(
        "UPDATE products SET name = $2, description = $3, category = $4, price_cents = $5, currency = $6
         WHERE id = $1",
        &values(product),
    )?;
    Ok(changed > 0)
}

fn values(product: &Product) -> Vec<Value> {
    let Product { id, name, description, category, price_cents, currency } = product;
    vec![id.into(), name.into(), description.into(), category.into(), (*price_cents).into(), currency.into()]
}

fn read(row: &Row) -> Result<Product> {
    Ok(Product {
        id: row.get("id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        category: row.get("category")?,
        price_cents: row.get("price_cents")?,
        currency: row.get("currency")?,
    })
}
