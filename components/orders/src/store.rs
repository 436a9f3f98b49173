//! The event store: facts are appended at the version that the writer has seen, so that of two writers one has to
//! look again. The read model is brought up in the same unit of work.

use hull_sdk::sql::{self, Row};
use hull_sdk::{Error, Result, Unit, clock, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::order::{Fact, Order};
use crate::view;

/// How many events lie between two snapshots of an order.
pub(crate) const SNAPSHOT_EVENTS: i64 = 50;

/// A fact and when it happened.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Recorded {
    pub(crate) version: i64,
    #[serde(serialize_with = "clock::as_rfc3339")]
    pub(crate) at: i64,
    #[serde(flatten)]
    pub(crate) fact: Fact,
}

/// An order as it is, or as it was at a time (in milliseconds since 1970).
pub(crate) fn load(order_id: &str, until: Option<i64>) -> Result<Option<Order>> {
    let until = until.unwrap_or(i64::MAX);
    let snapshot = sql::query_one(
        "SELECT state FROM order_snapshots WHERE order_id = $1 AND at <= $2 ORDER BY version DESC LIMIT 1",
        params![order_id, until],
    )?;
    let snapshot = snapshot.map(|row| parsed::<Order>(&row.get::<String>("state")?)).transpose()?;
    let seen = snapshot.as_ref().map_or(0, |order| order.version);
    let order = folded(order_id, snapshot, &history_after(order_id, seen, until)?);
    Ok(order)
}

/// What happened to an order until a time, oldest first.
pub(crate) fn history(order_id: &str, until: Option<i64>) -> Result<Vec<Recorded>> {
    history_after(order_id, 0, until.unwrap_or(i64::MAX))
}

fn history_after(order_id: &str, version: i64, until: i64) -> Result<Vec<Recorded>> {
    let rows = sql::query(
        "SELECT version, at, fact FROM order_events
         WHERE order_id = $1 AND version > $2 AND at <= $3 ORDER BY version",
        params![order_id, version, until],
    )?;
    rows.iter().map(recorded).collect()
}

/// Whether this very fact is among what happened to an order.
pub(crate) fn has_happened(order_id: &str, fact: &Fact) -> Result<bool> {
    let found = sql::query_one(
        "SELECT version FROM order_events WHERE order_id = $1 AND fact = $2 LIMIT 1",
        params![order_id, written(fact)?],
    )?;
    Ok(found.is_some())
}

/// Read a row of the event table.
pub(crate) fn recorded(row: &Row) -> Result<Recorded> {
    Ok(Recorded { version: row.get("version")?, at: row.get("at")?, fact: parsed(&row.get::<String>("fact")?)? })
}

/// An order from what happened to it.
pub(crate) fn folded(order_id: &str, mut order: Option<Order>, history: &[Recorded]) -> Option<Order> {
    for event in history {
        match &mut order {
            Some(order) => order.apply(event.at, &event.fact),
            None => order = Order::begun(order_id, event.at, &event.fact),
        }
    }
    order
}

/// The first fact of a new order.
pub(crate) fn begin(unit: &Unit, order_id: &str, fact: &Fact) -> Result<Order> {
    let at = clock::now_ms();
    insert(order_id, 1, at, fact)?;
    let begun = Order::begun(order_id, at, fact);
    let order = begun.ok_or_else(|| Error::Fault(format!("order {order_id} does not begin with being placed")))?;
    view::put(unit, &order)?;
    Ok(order)
}

/// More facts on an order as it was loaded.
pub(crate) fn append(unit: &Unit, order: &mut Order, facts: &[Fact]) -> Result<()> {
    for fact in facts {
        // A clock that was set back must not make a history run backwards.
        let at = clock::now_ms().max(order.updated_at);
        insert(&order.order_id, order.version + 1, at, fact)?;
        order.apply(at, fact);
        if order.version % SNAPSHOT_EVENTS == 0 {
            sql::execute(
                "INSERT INTO order_snapshots (order_id, version, at, state) VALUES ($1, $2, $3, $4)",
                params![&order.order_id, order.version, at, written(order)?],
            )?;
        }
    }
    view::put(unit, order)
}

fn insert(order_id: &str, version: i64, at: i64, fact: &Fact) -> Result<()> {
    let added = sql::execute(
        "INSERT INTO order_events (order_id, version, at, fact) VALUES ($1, $2, $3, $4)",
        params![order_id, version, at, written(fact)?],
    );
    match added {
        // Another writer has put its fact at this version.
        Err(error) if error.is_unique_violation() => Err(Error::Conflict),
        other => other.map(drop),
    }
}

/// JSON for a column.
pub(crate) fn written<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::Fault(format!("a fact cannot be written: {e}")))
}

/// JSON from a column.
pub(crate) fn parsed<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::Fault(format!("a stored fact cannot be read: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull_sdk::Cents;

    fn event(version: i64, fact: Fact) -> Recorded {
        Recorded { version, at: 1_000 + version, fact }
    }

    fn long_history() -> Vec<Recorded> {
        let placed =
            Fact::Placed { user_id: "u".into(), items: vec![], total_cents: Cents::ZERO, currency: "EUR".into() };
        let notes = (2..=120).map(|n| event(n, Fact::Noted { text: n.to_string() }));
        let confirmed = event(121, Fact::Confirmed);
        std::iter::once(event(1, placed)).chain(notes).chain([confirmed]).collect()
    }

    #[test]
    fn a_snapshot_and_what_came_after_are_the_whole_history() {
        let history = long_history();
        let whole = folded("o", None, &history).expect("an order");
        assert_eq!(whole.version, 121);
        for cut in [50, 100] {
            let snapshot = folded("o", None, &history[..cut]).expect("an order");
            let text = written(&snapshot).expect("JSON");
            let read: Order = parsed(&text).expect("an order");
            assert_eq!(folded("o", Some(read), &history[cut..]), Some(whole.clone()));
        }
    }

    #[test]
    fn no_history_is_no_order() {
        assert_eq!(folded("o", None, &[]), None);
    }
}
