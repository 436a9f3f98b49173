//! The payment provider, over outgoing HTTP. Every call carries a key, so that asking again is safe: that of a charge
//! is made from the order, which is also the id of the event that asks for it, so that an order has one charge at most.

use hull_sdk::client::{self, NoAnswer};
use hull_sdk::http::{HeaderValue, StatusCode};
use hull_sdk::{Error, Response, Result, config};
use serde::{Deserialize, Serialize};

/// What to charge.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Charge<'a> {
    pub(crate) order_id: &'a str,
    pub(crate) amount_cents: i64,
    pub(crate) currency: &'a str,
    pub(crate) token: &'a str,
}

/// What the provider says.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Charged, under this id.
    Charged(Line),
    /// It will not be charged.
    Declined(String),
    /// Nobody knows; ask again with the same key.
    Unclear(String),
}

/// A line of the provider's ledger.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) amount_cents: i64,
    #[serde(default)]
    pub(crate) currency: String,
    #[serde(default)]
    status: String,
}

#[derive(Debug, Serialize)]
struct Empty {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Void<'a> {
    order_id: &'a str,
}

/// Charge a card for an order.
pub(crate) fn charge(charge: &Charge<'_>) -> Result<Verdict> {
    Ok(verdict(call("/charges", &charge_key(charge.order_id), charge)?))
}

/// Call off the charge of an order: what was not charged by now never will be, and what was is told.
pub(crate) fn void(order_id: &str) -> Result<Verdict> {
    Ok(verdict(call("/charges/void", &charge_key(order_id), &Void { order_id })?))
}

fn charge_key(order_id: &str) -> String {
    format!("charge:{order_id}")
}

/// Give a charge back; an error may pass.
pub(crate) fn refund(key: &str, charge_id: &str) -> Result<()> {
    let answer = call(&format!("/charges/{charge_id}/refund"), key, &Empty {})??;
    match answer.status() {
        StatusCode::OK => Ok(()),
        status => Err(Error::Unavailable(format!("the provider answered {status} to a refund of {charge_id}"))),
    }
}

fn call<T: Serialize>(path: &str, key: &str, body: &T) -> Result<Result<Response, NoAnswer>> {
    let base = config::get("psp_url")?.unwrap_or_else(|| "http://psp.internal".to_owned());
    let mut request = client::post(&format!("{base}{path}"), body)?;
    let key = HeaderValue::from_str(key).map_err(|e| Error::Fault(format!("not a key: {e}")))?;
    request.headers_mut().insert("idempotency-key", key);
    Ok(client::send(request))
}

fn verdict(answer: Result<Response, NoAnswer>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Verdict::Unclear(error.to_string()),
    };
    match answer.status() {
        StatusCode::OK | StatusCode::CREATED => match client::read::<Line>("the provider", &answer) {
            Ok(line) => Verdict::Charged(line),
            Err(error) => Verdict::Unclear(error.to_string()),
        },
        StatusCode::PAYMENT_REQUIRED => match client::read::<Line>("the provider", &answer) {
            Ok(line) if line.status == "voided" => Verdict::Declined("the payment was called off".to_owned()),
            _ => Verdict::Declined("the card was declined".to_owned()),
        },
        // Not in the provider's words: they may repeat the token, and the reason goes into events.
        StatusCode::UNPROCESSABLE_ENTITY => Verdict::Declined("the card cannot be charged".to_owned()),
        status => Verdict::Unclear(format!("the provider answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Verdict {
        let response = hull_sdk::http::Response::builder().status(status).body(body.as_bytes().to_vec());
        verdict(Ok(response.expect("a response")))
    }

    #[test]
    fn only_a_clear_answer_counts() {
        assert!(matches!(answered(201, r#"{"id":"c1"}"#), Verdict::Charged(line) if line.id == "c1"));
        let declined = |status, body| match answered(status, body) {
            Verdict::Declined(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(declined(402, "{}"), "the card was declined");
        assert_eq!(declined(402, r#"{"id":"c1","status":"voided"}"#), "the payment was called off");
        assert_eq!(declined(422, r#"{"detail":"no such token: tok"}"#), "the card cannot be charged");
        assert!(matches!(answered(503, ""), Verdict::Unclear(_)));
        assert!(matches!(answered(201, "gibberish"), Verdict::Unclear(_)));
        let lost = NoAnswer { target: "psp".into(), why: "time".into() };
        assert!(matches!(verdict(Err(lost)), Verdict::Unclear(_)));
    }
}
