//! Writes down one row for each event: what the benches of events have handled.

use hull_sdk::{Event, Outcome, Result, Unit, params, sql};

hull_sdk::event_component!(write);

/// The payload is a number; a row for it that is there already fails, so nothing is handled twice unnoticed.
fn write(_unit: &Unit, event: &Event) -> Result<Outcome> {
    let number: i64 = event.json()?;
    sql::execute("INSERT INTO handled (n) VALUES ($1)", params![number])?;
    Ok(Outcome::Ok)
}
