//! The users table.

use hull_sdk::sql::{self, Row};
use hull_sdk::{Result, clock, params};
use serde::Serialize;

/// A user as everyone sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    #[serde(serialize_with = "clock::as_rfc3339")]
    pub(crate) created_at: i64,
}

/// Add a user; a unique violation means that the email is taken.
pub(crate) fn add(user: &User) -> Result<()> {
    sql::execute(
        "INSERT INTO users (id, email, name, created_at) VALUES ($1, $2, $3, $4)",
        params![&user.id, &user.email, &user.name, user.created_at],
    )?;
    Ok(())
}

/// The user with this id.
pub(crate) fn find(id: &str) -> Result<Option<User>> {
    let row = sql::query_one("SELECT id, email, name, created_at FROM users WHERE id = $1", params![id])?;
    row.map(|row| read(&row)).transpose()
}

fn read(row: &Row) -> Result<User> {
    Ok(User {
        id: row.get("id")?,
        email: row.get("email")?,
        name: row.get("name")?,
        created_at: row.get("created_at")?,
    })
}
