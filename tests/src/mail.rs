//! The app of the tests about events: probes that publish, handle, answer and fail, and keep what they have seen.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::Client;
use crate::probe;

/// Its name.
pub const APP: &str = "mail";

/// The table in which every handler of it writes what it sees, and one that lets an event through or not.
const MIGRATION: &str =
    "CREATE TABLE seen (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subject TEXT NOT NULL,
    attempt TEXT NOT NULL, note TEXT NOT NULL);
    CREATE TABLE gate (name TEXT PRIMARY KEY);";

/// A component that handles events: `trigger` is for its `[[trigger.messaging]]`, `hull` for its `tool.hull` table.
pub fn handler(name: &str, trigger: &str, hull: &str) -> String {
    let granted = format!(
        "sqlite_databases = [\"default\"]\nkey_value_stores = [\"default\"]\nvariables = {{ name = \"{name}\" }}"
    );
    let hull = format!("migrations = \"migrations\"\n{hull}");
    let messaging = format!("[[trigger.messaging]]\ncomponent = \"{name}\"\n{trigger}\n");
    format!("{messaging}{}", probe::component(name, &granted, &hull))
}

/// The app with these components.
pub fn app(components: &[String]) -> anyhow::Result<App> {
    let app = App::of_text(&manifest(components))?;
    app.write("migrations/1_seen.sql", MIGRATION)?;
    Ok(app)
}

/// Its manifest.
pub fn manifest(components: &[String]) -> String {
    format!("{}{}", probe::application(APP), components.join("\n"))
}

/// A step that writes down what the handler sees.
pub fn see() -> Value {
    note("")
}

/// The same with a fact about the event, such as `@correlation`.
pub fn note(fact: &str) -> Value {
    json!({"do": "execute", "sql": "INSERT INTO seen (id, subject, attempt, note) VALUES ($1, $2, $3, $4)",
        "params": ["@id", "@subject", "@attempt", fact]})
}

/// The payload of an event whose handlers write it down and end well.
pub fn seen_and_ok() -> Value {
    json!({"script": [see()]})
}

/// One line of what a component has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The event's id.
    pub id: String,
    /// The event's subject.
    pub subject: String,
    /// Which attempt it was.
    pub attempt: String,
    /// The fact that was written down.
    pub note: String,
}

/// What a component has seen of subjects like this, in the order of handling.
pub fn seen(client: &Client, component: &str, like: &str) -> anyhow::Result<Vec<Seen>> {
    let sql = "SELECT id, subject, attempt, note FROM seen WHERE subject LIKE $1 ORDER BY n LIMIT 5000";
    let rows = probe::one(client, &format!("/{component}/run"), &json!({"do": "query", "sql": sql, "params": [like]}))?;
    let rows = rows.as_array().with_context(|| format!("{component}: {rows}"))?;
    let text = |row: &Value, at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let read = |row| Seen { id: text(row, 0), subject: text(row, 1), attempt: text(row, 2), note: text(row, 3) };
    Ok(rows.iter().map(read).collect())
}

/// Wait until a component has seen so many.
pub fn until_seen(client: &Client, component: &str, like: &str, count: usize) -> anyhow::Result<Vec<Seen>> {
    crate::wait::until(&format!("{component} to see {count} of {like}"), || {
        let seen = seen(client, component, like)?;
        Ok((seen.len() >= count).then_some(seen))
    })
}
