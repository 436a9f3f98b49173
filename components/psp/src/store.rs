//! The provider's ledger.

use hull_sdk::sql::{self, Row};
use hull_sdk::{Cents, Result, clock, params};
use serde::Serialize;

/// One line of the ledger.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) idempotency_key: String,
    pub(crate) order_id: String,
    pub(crate) amount_cents: Cents,
    pub(crate) currency: String,
    pub(crate) status: String,
    #[serde(serialize_with = "clock::as_rfc3339")]
    pub(crate) created_at: i64,
}

/// The status of a line that says that nothing will ever be charged under its key.
pub(crate) const VOIDED: &str = "voided";

const COLUMNS: &str = "id, idempotency_key, order_id, amount_cents, currency,
    CASE WHEN voided THEN 'voided' ELSE status END AS status, created_at";
const LISTED_MAX: i64 = 1_000;

/// Write a line; a unique violation means that the key was used before.
pub(crate) fn add(charge: &Charge) -> Result<()> {
    let voided = charge.status == VOIDED;
    sql::execute(
        "INSERT INTO charges (id, idempotency_key, order_id, amount_cents, currency, status, created_at, voided)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            &charge.id,
            &charge.idempotency_key,
            &charge.order_id,
            charge.amount_cents,
            &charge.currency,
            // To refund, a called-off line is like a declined one: there is nothing to give back.
            if voided { "declined" } else { &charge.status },
            charge.created_at,
            voided,
        ],
    )?;
    Ok(())
}

/// The line of a key.
pub(crate) fn with_key(key: &str) -> Result<Option<Charge>> {
    let row = sql::query_one(&format!("SELECT {COLUMNS} FROM charges WHERE idempotency_key = $1"), params![key])?;
    row.map(|row| read(&row)).transpose()
}

/// The line of an id.
pub(crate) fn with_id(id: &str) -> Result<Option<Charge>> {
    let row = sql::query_one(&format!("SELECT {COLUMNS} FROM charges WHERE id = $1"), params![id])?;
    row.map(|row| read(&row)).transpose()
}

/// The lines of an order, oldest first.
pub(crate) fn of_order(order_id: &str) -> Result<Vec<Charge>> {
    let rows = sql::query(
        &format!("SELECT {COLUMNS} FROM charges WHERE order_id = $1 ORDER BY id LIMIT $2"),
        params![order_id, LISTED_MAX],
    )?;
    rows.iter().map(read).collect()
}

/// Give a charge back; false if it is not charged (any more).
pub(crate) fn refund(id: &str) -> Result<bool> {
    let changed =
        sql::execute("UPDATE charges SET status = 'refunded' WHERE id = $1 AND status = 'charged'", params![id])?;
    Ok(changed > 0)
}

/// Count an attempt with a key; the result is how many there were, this one included.
pub(crate) fn attempt(key: &str) -> Result<i64> {
    sql::execute(
        "INSERT INTO attempts (idempotency_key, seen) VALUES ($1, 1)
         ON CONFLICT (idempotency_key) DO UPDATE SET seen = attempts.seen + 1",
        params![key],
    )?;
    let row = sql::query_one("SELECT seen FROM attempts WHERE idempotency_key = $1", params![key])?;
    row.map_or(Ok(1), |row| row.get("seen"))
}

fn read(row: &Row) -> Result<Charge> {
    Ok(Charge {
        id: row.get("id")?,
        idempotency_key: row.get("idempotency_key")?,
        order_id: row.get("order_id")?,
        amount_cents: row.get("amount_cents")?,
        currency: row.get("currency")?,
        status: row.get("status")?,
        created_at: row.get("created_at")?,
    })
}
