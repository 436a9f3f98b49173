//! The payment provider, over outgoing HTTP. Every call carries a key made from the event it is made for, so that
//! asking again is safe.

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
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Charged, under this id.
    Charged(String),
    /// It will not be charged.
    Declined(String),
    /// Nobody knows; ask again with the same key.
    Unclear(String),
}

#[derive(Debug, Deserialize)]
struct Receipt {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    detail: String,
}

#[derive(Debug, Serialize)]
struct Empty {}

/// Charge a card.
pub(crate) fn charge(key: &str, charge: &Charge<'_>) -> Result<Verdict> {
    let answer = call("/charges", key, charge)?;
    Ok(verdict(answer))
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
        StatusCode::OK | StatusCode::CREATED => match client::read::<Receipt>("the provider", &answer) {
            Ok(receipt) => Verdict::Charged(receipt.id),
            Err(error) => Verdict::Unclear(error.to_string()),
        },
        StatusCode::PAYMENT_REQUIRED => Verdict::Declined("the card was declined".to_owned()),
        StatusCode::UNPROCESSABLE_ENTITY => {
            let refusal = client::read::<Refusal>("the provider", &answer);
            Verdict::Declined(refusal.map_or_else(|_| "the card cannot be charged".to_owned(), |r| r.detail))
        }
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
        assert_eq!(answered(201, r#"{"id":"c1"}"#), Verdict::Charged("c1".into()));
        assert_eq!(answered(402, "{}"), Verdict::Declined("the card was declined".into()));
        assert_eq!(answered(422, r#"{"detail":"no such token"}"#), Verdict::Declined("no such token".into()));
        assert!(matches!(answered(503, ""), Verdict::Unclear(_)));
        assert!(matches!(answered(201, "gibberish"), Verdict::Unclear(_)));
        let lost = NoAnswer { target: "psp".into(), why: "time".into() };
        assert!(matches!(verdict(Err(lost)), Verdict::Unclear(_)));
    }
}
