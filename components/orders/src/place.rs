//! Placing an order: once for each idempotency key, however often and however much at the same time it is asked for.

use hull_sdk::{Check, Error, Problem, Result, Unit, ids, params, sql, transaction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::events;
use crate::order::{Fact, Order};
use crate::pricing::{LINES_MAX, QUANTITY_MAX, Wanted};
use crate::store::{self, written};
use crate::{shop, view};

/// What a customer asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Asked {
    user_id: String,
    #[serde(default)]
    items: Vec<Wanted>,
    #[serde(default)]
    from_cart: bool,
    payment_token: String,
}

impl Asked {
    /// 422 unless it makes sense by itself.
    pub(crate) fn check(&self) -> Result<()> {
        let mut check = Check::new();
        check.id("userId", &self.user_id).text("paymentToken", &self.payment_token, 1..=200);
        let lines = self.items.len();
        if self.from_cart {
            check.that(lines == 0, "items", "must be left out where fromCart is true");
        } else {
            check.that(lines > 0, "items", "must not be empty, or fromCart must be true");
            check.that(lines <= LINES_MAX, "items", "must be 50 lines at most");
        }
        for (n, line) in self.items.iter().enumerate() {
            check.id(&format!("items[{n}].productId"), &line.product_id);
            check.range(&format!("items[{n}].quantity"), line.quantity.into(), 1..=QUANTITY_MAX.into());
        }
        check.done()
    }
}

/// The order that this key has made, or makes now.
pub(crate) fn place(key: &str, asked: &Asked) -> Result<Order> {
    let request = fingerprint(asked)?;
    if let Some(order) = placed_before(key, &request)? {
        return Ok(order);
    }
    let priced =
        if asked.from_cart { shop::from_cart(&asked.user_id)? } else { shop::ordered(&asked.user_id, &asked.items)? };
    let order_id = ids::new_id();
    shop::offer_payment(&order_id, &asked.payment_token)?;
    let fact = Fact::Placed {
        user_id: asked.user_id.clone(),
        items: priced.items,
        total_cents: priced.total_cents,
        currency: priced.currency,
    };
    transaction(|unit| {
        if let Some(order) = placed_before(key, &request)? {
            return Ok(order);
        }
        claim(unit, key, &request, &order_id)?;
        let order = store::begin(unit, &order_id, &fact)?;
        events::begun(unit, &order, asked.from_cart)?;
        Ok(order)
    })
}

/// What tells one request from another. It is kept, and the token must not be, so it is a digest.
fn fingerprint(asked: &Asked) -> Result<String> {
    use std::fmt::Write;
    let digest = Sha256::digest(written(asked)?);
    Ok(digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn placed_before(key: &str, request: &str) -> Result<Option<Order>> {
    let row = sql::query_one("SELECT request, order_id FROM placements WHERE idempotency_key = $1", params![key])?;
    let Some(row) = row else { return Ok(None) };
    if row.get::<String>("request")? != request {
        return Err(Problem::invalid("Idempotency-Key", "was used for another request").into());
    }
    let order_id: String = row.get("order_id")?;
    let lost = || Error::Fault(format!("order {order_id} is not in the read model; POST /api/orders/_rebuild"));
    view::find(&order_id)?.map(Some).ok_or_else(lost)
}

fn claim(_unit: &Unit, key: &str, request: &str, order_id: &str) -> Result<()> {
    let claimed = sql::execute(
        "INSERT INTO placements (idempotency_key, request, order_id) VALUES ($1, $2, $3)",
        params![key, request, order_id],
    );
    match claimed {
        // Another request with this key was quicker: the unit runs again and finds its order.
        Err(error) if error.is_unique_violation() => Err(Error::Conflict),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01900000-0000-7000-8000-000000000001";

    fn asked(json: &str) -> Asked {
        hull_sdk::json::parse(json.replace("ID", ID).as_bytes()).expect("fits")
    }

    #[test]
    fn takes_lines_or_the_cart_and_not_both() {
        let lines = r#"{"userId":"ID","items":[{"productId":"ID","quantity":2}],"paymentToken":"tok_ok"}"#;
        assert!(asked(lines).check().is_ok());
        assert!(asked(r#"{"userId":"ID","fromCart":true,"paymentToken":"tok_ok"}"#).check().is_ok());
        for (bad, field) in [
            (r#"{"userId":"ID","paymentToken":"t"}"#, "items"),
            (
                r#"{"userId":"ID","fromCart":true,"items":[{"productId":"ID","quantity":1}],"paymentToken":"t"}"#,
                "items",
            ),
            (r#"{"userId":"7","fromCart":true,"paymentToken":"t"}"#, "userId"),
            (r#"{"userId":"ID","fromCart":true,"paymentToken":" "}"#, "paymentToken"),
            (r#"{"userId":"ID","items":[{"productId":"ID","quantity":0}],"paymentToken":"t"}"#, "items[0].quantity"),
            (r#"{"userId":"ID","items":[{"productId":"x","quantity":1}],"paymentToken":"t"}"#, "items[0].productId"),
        ] {
            match asked(bad).check() {
                Err(Error::Problem(problem)) => assert_eq!(problem.field(), Some(field), "{bad}"),
                other => panic!("{bad}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_same_request_is_the_same_however_it_is_written() {
        let one = asked(r#"{"userId":"ID","fromCart":true,"paymentToken":"t"}"#);
        let other = asked(r#"{ "paymentToken":"t", "fromCart":true, "items":[], "userId":"ID" }"#);
        assert_eq!(fingerprint(&one).expect("JSON"), fingerprint(&other).expect("JSON"));
        let third = asked(r#"{"userId":"ID","fromCart":true,"paymentToken":"another"}"#);
        assert_ne!(fingerprint(&one).expect("JSON"), fingerprint(&third).expect("JSON"));
    }
}
