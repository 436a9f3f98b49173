//! The table of notifications: one for each order and kind, however often the event comes.

use hull_sdk::sql;
use hull_sdk::{Result, clock, params};
use serde::Serialize;

/// The most that are listed.
const LISTED_MAX: i64 = 100;

/// A notification as its user sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification {
    pub(crate) id: String,
    pub(crate) order_id: String,
    pub(crate) kind: String,
    pub(crate) text: String,
    #[serde(serialize_with = "clock::as_rfc3339")]
    pub(crate) created_at: i64,
}

/// Add a notification, unless the user has been told of this already.
pub(crate) fn add(user_id: &str, new: &Notification) -> Result<()> {
    sql::execute(
        "INSERT INTO notifications (id, user_id, order_id, kind, text, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (order_id, kind) DO NOTHING",
        params![&new.id, user_id, &new.order_id, &new.kind, &new.text, new.created_at],
    )?;
    Ok(())
}

/// The notifications of a user, newest first.
pub(crate) fn list(user_id: &str) -> Result<Vec<Notification>> {
    let rows = sql::query(
        "SELECT id, order_id, kind, text, created_at FROM notifications
         WHERE user_id = $1 ORDER BY id DESC LIMIT $2",
        params![user_id, LISTED_MAX],
    )?;
    let read = |row: &sql::Row| {
        Ok(Notification {
            id: row.get("id")?,
            order_id: row.get("order_id")?,
            kind: row.get("kind")?,
            text: row.get("text")?,
            created_at: row.get("created_at")?,
        })
    };
    rows.iter().map(read).collect()
}
