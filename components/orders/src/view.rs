//! The read model: one row for each order with its state, for looking up and listing.

use hull_sdk::sql;
use hull_sdk::{Result, Unit, params};

use crate::order::{Order, Status};
use crate::store::{parsed, written};

/// The most orders in a list.
const LISTED_MAX: i64 = 100;

/// Put an order's state, whatever was there.
pub(crate) fn put(_unit: &Unit, order: &Order) -> Result<()> {
    sql::execute(
        "INSERT INTO order_view (order_id, user_id, status, state) VALUES ($1, $2, $3, $4)
         ON CONFLICT (order_id) DO UPDATE SET user_id = excluded.user_id, status = excluded.status,
           state = excluded.state",
        params![&order.order_id, &order.user_id, name(order.status), written(order)?],
    )?;
    Ok(())
}

/// An order.
pub(crate) fn find(order_id: &str) -> Result<Option<Order>> {
    let row = sql::query_one("SELECT state FROM order_view WHERE order_id = $1", params![order_id])?;
    row.map(|row| parsed(&row.get::<String>("state")?)).transpose()
}

/// A user's orders, newest first.
pub(crate) fn of_user(user_id: &str) -> Result<Vec<Order>> {
    let rows = sql::query(
        "SELECT state FROM order_view WHERE user_id = $1 ORDER BY order_id DESC LIMIT $2",
        params![user_id, LISTED_MAX],
    )?;
    rows.iter().map(|row| parsed(&row.get::<String>("state")?)).collect()
}

/// Forget the rows above one id, up to and with another.
pub(crate) fn forget(_unit: &Unit, above: &str, up_to: Option<&str>) -> Result<u64> {
    match up_to {
        Some(last) => {
            sql::execute("DELETE FROM order_view WHERE order_id > $1 AND order_id <= $2", params![above, last])
        }
        None => sql::execute("DELETE FROM order_view WHERE order_id > $1", params![above]),
    }
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Confirmed => "confirmed",
        Status::Cancelled => "cancelled",
    }
}
