//! Offers: how an order is to be paid, from the moment it is placed until the provider has answered. Tokens are worth
//! money, so they come straight from orders, are in no event and no log, and go as soon as they are of no use.

use hull_sdk::client;
use hull_sdk::http::StatusCode;
use hull_sdk::sql;
use hull_sdk::{Error, Result, Unit, clock, params};
use serde::{Deserialize, Serialize};

use crate::account::Status;

/// An order that nobody has charged or cancelled by then was never placed: its request broke off half-way.
const OFFER_TIME_MS_MAX: i64 = 60 * 60 * 1_000;

/// What is known of an order before the provider is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Known {
    payment_token: Option<String>,
    status: Option<String>,
    cancelled: bool,
}

impl Known {
    /// Whether the provider's verdict is known already.
    pub(crate) fn is_settled(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status != Status::Awaited.name())
    }

    /// The token to charge now. An order that is cancelled is not charged any more: all there is to find out is whether
    /// an attempt did that had no answer.
    pub(crate) fn to_charge(&self) -> Option<&str> {
        self.payment_token.as_deref().filter(|_| !self.cancelled)
    }
}

/// Ask this service itself what it knows. An event handler that read its own database would have its unit of work
/// open from then on, and the provider has to be asked before that.
pub(crate) fn known(order_id: &str) -> Result<Known> {
    let answer = client::send(client::get(&format!("http://payments.internal/offers/{}", client::encoded(order_id)))?)?;
    if answer.status() != StatusCode::OK {
        return Err(Error::Unavailable(format!("payments answered {} about an offer", answer.status())));
    }
    client::read("payments", &answer)
}

/// What is known of an order, from the database.
pub(crate) fn find(order_id: &str) -> Result<Known> {
    let offer = sql::query_one("SELECT payment_token FROM offers WHERE order_id = $1", params![order_id])?;
    let account = sql::query_one("SELECT status, cancelled FROM payments WHERE order_id = $1", params![order_id])?;
    Ok(Known {
        payment_token: offer.map(|row| row.get("payment_token")).transpose()?,
        status: account.as_ref().map(|row| row.get("status")).transpose()?,
        cancelled: account.as_ref().map_or(Ok(false), |row| row.get("cancelled"))?,
    })
}

/// Keep an offer, and forget those that nothing came of.
pub(crate) fn put(_unit: &Unit, order_id: &str, payment_token: &str) -> Result<()> {
    let now = clock::now_ms();
    sql::execute("DELETE FROM offers WHERE offered_at < $1", params![now - OFFER_TIME_MS_MAX])?;
    sql::execute(
        "INSERT INTO offers (order_id, payment_token, offered_at) VALUES ($1, $2, $3)
         ON CONFLICT (order_id) DO UPDATE SET payment_token = excluded.payment_token, offered_at = excluded.offered_at",
        params![order_id, payment_token, now],
    )?;
    Ok(())
}

/// Forget an offer: the provider has answered, or will not be asked.
pub(crate) fn forget(_unit: &Unit, order_id: &str) -> Result<()> {
    sql::execute("DELETE FROM offers WHERE order_id = $1", params![order_id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(token: Option<&str>, status: Option<Status>, cancelled: bool) -> Known {
        let status = status.map(|status| status.name().to_owned());
        Known { payment_token: token.map(str::to_owned), status, cancelled }
    }

    #[test]
    fn charges_until_it_is_cancelled() {
        let open = known(Some("tok"), None, false);
        assert_eq!(open.to_charge(), Some("tok"));
        let cancelled = known(Some("tok"), Some(Status::Awaited), true);
        assert_eq!(cancelled.to_charge(), None);
        assert_eq!(known(None, None, false).to_charge(), None);
    }

    #[test]
    fn only_a_verdict_settles() {
        assert!(!known(None, None, false).is_settled());
        assert!(!known(None, Some(Status::Awaited), true).is_settled());
        for status in [Status::Charged, Status::Declined, Status::Refunded] {
            assert!(known(None, Some(status), false).is_settled());
        }
    }
}
