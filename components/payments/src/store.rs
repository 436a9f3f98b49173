//! The table of payments: one row for each order.

use hull_sdk::sql;
use hull_sdk::{Cents, Error, Result, Unit, clock, ids, params};
use serde::Serialize;

use crate::account::{Account, Status};

/// A payment as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) order_id: String,
    pub(crate) amount_cents: Cents,
    pub(crate) currency: Option<String>,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    #[serde(serialize_with = "clock::as_rfc3339")]
    pub(crate) created_at: i64,
}

/// An order's account and the ids that belong to it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) payment_id: String,
    pub(crate) charge_id: Option<String>,
    pub(crate) amount_cents: i64,
}

/// What the provider's verdict adds to an account.
#[derive(Debug)]
pub(crate) struct Charged<'a> {
    pub(crate) order_id: &'a str,
    /// Not known where a charge comes to light that nobody had heard of.
    pub(crate) user_id: Option<&'a str>,
    pub(crate) amount_cents: i64,
    pub(crate) currency: &'a str,
    pub(crate) charge_id: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
}

/// What is known of an order.
pub(crate) fn find(_unit: &Unit, order_id: &str) -> Result<Option<Found>> {
    let row = sql::query_one(
        "SELECT id, charge_id, amount_cents, status, cancelled FROM payments WHERE order_id = $1",
        params![order_id],
    )?;
    let Some(row) = row else { return Ok(None) };
    let name: String = row.get("status")?;
    let unknown = || Error::Fault(format!("order {order_id} has the unknown status {name}"));
    let account = Account { status: Status::named(&name).ok_or_else(unknown)?, cancelled: row.get("cancelled")? };
    Ok(Some(Found {
        account,
        payment_id: row.get("id")?,
        charge_id: row.get("charge_id")?,
        amount_cents: row.get("amount_cents")?,
    }))
}

/// Write the provider's verdict; the result is the payment's id. One row per order: two units that write about the
/// same order cannot both miss the other's.
pub(crate) fn charged(_unit: &Unit, account: Account, charged: &Charged<'_>) -> Result<String> {
    sql::execute(
        "INSERT INTO payments (order_id, id, user_id, charge_id, amount_cents, currency, status, cancelled, reason,
           created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (order_id) DO UPDATE SET user_id = excluded.user_id, charge_id = excluded.charge_id,
           amount_cents = excluded.amount_cents, currency = excluded.currency, status = excluded.status,
           reason = excluded.reason",
        params![
            charged.order_id,
            ids::new_id(),
            charged.user_id,
            charged.charge_id,
            charged.amount_cents,
            charged.currency,
            account.status.name(),
            account.cancelled,
            charged.reason,
            clock::now_ms(),
        ],
    )?;
    let row = sql::query_one("SELECT id FROM payments WHERE order_id = $1", params![charged.order_id])?;
    row.ok_or(Error::Conflict)?.get("id")
}

/// Write an account as it is now.
pub(crate) fn keep(_unit: &Unit, order_id: &str, account: Account) -> Result<()> {
    sql::execute(
        "INSERT INTO payments (order_id, id, status, cancelled, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, cancelled = excluded.cancelled",
        params![order_id, ids::new_id(), account.status.name(), account.cancelled, clock::now_ms()],
    )?;
    Ok(())
}

/// The payments of an order; one that was never charged has none.
pub(crate) fn of_order(order_id: &str) -> Result<Vec<Payment>> {
    let rows = sql::query(
        "SELECT id, order_id, amount_cents, currency, status, reason, created_at FROM payments
         WHERE order_id = $1 AND status <> 'awaited'",
        params![order_id],
    )?;
    let read = |row: &sql::Row| {
        Ok(Payment {
            id: row.get("id")?,
            order_id: row.get("order_id")?,
            amount_cents: row.get("amount_cents")?,
            currency: row.get("currency")?,
            status: row.get("status")?,
            reason: row.get("reason")?,
            created_at: row.get("created_at")?,
        })
    };
    rows.iter().map(read).collect()
}
