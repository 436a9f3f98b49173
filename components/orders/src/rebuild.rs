//! The read model made anew from the events alone, page by page, each page in a unit of its own, so that others can
//! order meanwhile.

use hull_sdk::sql;
use hull_sdk::{Result, Unit, clock, params, transaction};
use serde::Serialize;

use crate::store::{self, folded};
use crate::view;

const PAGE_ORDERS: i64 = 200;
/// After this long the answer says where to go on.
const TIME_MS_MAX: i64 = 4_000;

/// What was done, and from where it goes on if there is more.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Rebuilt {
    orders: u64,
    events: u64,
    next: Option<String>,
}

/// Rebuild all orders above an id.
pub(crate) fn run(after: &str) -> Result<Rebuilt> {
    let started = clock::now_ms();
    let mut done = Rebuilt::default();
    let mut above = after.to_owned();
    loop {
        let page = transaction(|unit| page(unit, &above))?;
        done.orders += page.orders;
        done.events += page.events;
        let Some(last) = page.next else { return Ok(done) };
        if clock::now_ms() - started > TIME_MS_MAX {
            done.next = Some(last);
            return Ok(done);
        }
        above = last;
    }
}

fn page(unit: &Unit, above: &str) -> Result<Rebuilt> {
    let rows = sql::query(
        "SELECT DISTINCT order_id FROM order_events WHERE order_id > $1 ORDER BY order_id LIMIT $2",
        params![above, PAGE_ORDERS],
    )?;
    let ids = rows.iter().map(|row| row.get("order_id")).collect::<Result<Vec<String>>>()?;
    // Rows of the read model that no event accounts for go too, also those behind the last order.
    let more = i64::try_from(ids.len()).unwrap_or(PAGE_ORDERS) == PAGE_ORDERS;
    let last = ids.last().filter(|_| more);
    view::forget(unit, above, last.map(String::as_str))?;
    let mut done = Rebuilt { next: last.cloned(), ..Rebuilt::default() };
    for id in &ids {
        let history = store::history(id, None)?;
        if let Some(order) = folded(id, None, &history) {
            view::put(unit, &order)?;
            done.orders += 1;
        }
        done.events += u64::try_from(history.len()).unwrap_or_default();
    }
    Ok(done)
}
