//! The table of sagas: the state that survives everything.

use hull_sdk::{Error, Result, Unit, params, sql};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::purchase::Purchase;
use crate::saga::Saga;

/// How many are listed.
const LIST_MAX: u32 = 1000;

/// A saga and what it is about.
#[derive(Debug, Serialize)]
pub(crate) struct Checkout {
    pub(crate) id: String,
    pub(crate) purchase: Purchase,
    #[serde(flatten)]
    pub(crate) saga: Saga,
}

/// One of them.
pub(crate) fn find(id: &str) -> Result<Option<Checkout>> {
    let row = sql::query_one("SELECT id, purchase, saga FROM sagas WHERE id = $1", params![id])?;
    row.map(|row| read(&row)).transpose()
}

/// The first thousand.
pub(crate) fn list() -> Result<Vec<Checkout>> {
    let rows = sql::query("SELECT id, purchase, saga FROM sagas ORDER BY id LIMIT $1", params![LIST_MAX])?;
    rows.iter().map(read).collect()
}

/// A new one. Another that has its id gets in the way as a conflict.
pub(crate) fn add(_unit: &Unit, checkout: &Checkout) -> Result<()> {
    let values = params![&checkout.id, written(&checkout.purchase)?, written(&checkout.saga)?];
    match sql::execute("INSERT INTO sagas (id, purchase, saga) VALUES ($1, $2, $3)", values) {
        Err(error) if error.is_unique_violation() => Err(Error::Conflict),
        other => other.map(drop),
    }
}

/// Where it is now.
pub(crate) fn update(_unit: &Unit, checkout: &Checkout) -> Result<()> {
    let values = params![&checkout.id, written(&checkout.saga)?];
    sql::execute("UPDATE sagas SET saga = $2 WHERE id = $1", values).map(drop)
}

fn read(row: &sql::Row) -> Result<Checkout> {
    let (purchase, saga) = (row.get::<String>("purchase")?, row.get::<String>("saga")?);
    Ok(Checkout { id: row.get("id")?, purchase: parsed(&purchase)?, saga: parsed(&saga)? })
}

fn written<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Fault(format!("a saga cannot be written: {error}")))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Fault(format!("a stored saga cannot be read: {error}")))
}
