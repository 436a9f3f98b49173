//! Stock and reservations. Every change moves quantities between columns, so that their sum stays what was put in.

use hull_sdk::sql::{self, Value};
use hull_sdk::{Error, Result, Unit, params};
use serde::{Deserialize, Serialize};

use crate::reservation::State;

/// The stock of a product.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stock {
    pub(crate) product_id: String,
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
}

/// So many of a product.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) product_id: String,
    pub(crate) quantity: u32,
}

/// The stock of a product.
pub(crate) fn stock(product_id: &str) -> Result<Option<Stock>> {
    let row = sql::query_one(
        "SELECT product_id, available, reserved, sold FROM stock WHERE product_id = $1",
        params![product_id],
    )?;
    let read = |row: sql::Row| {
        Ok(Stock {
            product_id: row.get("product_id")?,
            available: row.get("available")?,
            reserved: row.get("reserved")?,
            sold: row.get("sold")?,
        })
    };
    row.map(read).transpose()
}

/// Say how much of a product is available; what is reserved or sold stays so.
pub(crate) fn set_available(product_id: &str, available: i64) -> Result<()> {
    sql::execute(
        "INSERT INTO stock (product_id, available) VALUES ($1, $2)
         ON CONFLICT (product_id) DO UPDATE SET available = excluded.available",
        params![product_id, available],
    )?;
    Ok(())
}

/// What has become of an order's reservation so far.
pub(crate) fn state(order_id: &str) -> Result<Option<State>> {
    let row = sql::query_one("SELECT state FROM reservations WHERE order_id = $1", params![order_id])?;
    let Some(row) = row else { return Ok(None) };
    let name: String = row.get("state")?;
    let unknown = || Error::Fault(format!("order {order_id} is in the unknown state {name}"));
    State::named(&name).map(Some).ok_or_else(unknown)
}

/// The first line that there is too little for.
pub(crate) fn short_of(lines: &[Line]) -> Result<Option<&Line>> {
    for line in lines {
        let available = stock(&line.product_id)?.map_or(0, |stock| stock.available);
        if available < i64::from(line.quantity) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// Remember an order without anything set aside.
pub(crate) fn remember(_unit: &Unit, order_id: &str, state: State) -> Result<()> {
    sql::execute("INSERT INTO reservations (order_id, state) VALUES ($1, $2)", params![order_id, state.name()])
        .map_err(raced)?;
    Ok(())
}

/// Set aside all lines. The caller has seen that there is enough; if that has changed, it is a conflict.
pub(crate) fn hold(unit: &Unit, order_id: &str, lines: &[Line]) -> Result<()> {
    remember(unit, order_id, State::Held)?;
    for line in lines {
        let changed = sql::execute(
            "UPDATE stock SET available = available - $2, reserved = reserved + $2
             WHERE product_id = $1 AND available >= $2",
            params![&line.product_id, line.quantity],
        )?;
        if changed != 1 {
            return Err(Error::Conflict);
        }
        sql::execute(
            "INSERT INTO reservation_lines (order_id, product_id, quantity) VALUES ($1, $2, $3)",
            params![order_id, &line.product_id, line.quantity],
        )?;
    }
    Ok(())
}

/// Sell what was set aside.
pub(crate) fn commit(_unit: &Unit, order_id: &str) -> Result<()> {
    settle(
        order_id,
        State::Committed,
        "UPDATE stock SET reserved = reserved - $2, sold = sold + $2 WHERE product_id = $1",
    )
}

/// Give back what was set aside.
pub(crate) fn release(_unit: &Unit, order_id: &str) -> Result<()> {
    settle(
        order_id,
        State::Released,
        "UPDATE stock SET reserved = reserved - $2, available = available + $2 WHERE product_id = $1",
    )
}

fn settle(order_id: &str, state: State, movement: &str) -> Result<()> {
    let rows = sql::query(
        "SELECT product_id, quantity FROM reservation_lines WHERE order_id = $1 ORDER BY product_id",
        params![order_id],
    )?;
    for row in &rows {
        let product_id: String = row.get("product_id")?;
        let quantity: i64 = row.get("quantity")?;
        sql::execute(movement, params![product_id, quantity])?;
    }
    let values = [Value::from(order_id), Value::from(state.name())];
    sql::execute("UPDATE reservations SET state = $2 WHERE order_id = $1", &values)?;
    Ok(())
}

/// A row that another unit has just inserted is a conflict like any other: the event is handled again.
fn raced(error: Error) -> Error {
    if error.is_unique_violation() { Error::Conflict } else { error }
}
