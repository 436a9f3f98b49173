//! An order as a sequence of facts, and what may follow from each. Pure: the same facts give the same order, today
//! and when they are read again.

use hull_sdk::Cents;
use serde::{Deserialize, Serialize};

/// The most notes on one order.
pub(crate) const NOTES_MAX: u32 = 400;

/// So many of a product, at the price it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) product_id: String,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) price_cents: Cents,
}

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Fact {
    Placed { user_id: String, items: Vec<Line>, total_cents: Cents, currency: String },
    Reserved,
    Rejected { reason: String },
    Charged { payment_id: String },
    Declined { reason: String },
    Confirmed,
    Cancelled { reason: String },
    Refunded { payment_id: String },
    Noted { text: String },
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Pending,
    Confirmed,
    Cancelled,
}

/// An order after some of its facts. The names are those of its JSON.
#[allow(clippy::struct_field_names)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    pub(crate) order_id: String,
    pub(crate) user_id: String,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) total_cents: Cents,
    pub(crate) currency: String,
    pub(crate) items: Vec<Line>,
    pub(crate) notes: u32,
    pub(crate) version: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// Why something may not happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the order is confirmed and cannot be undone any more")]
    Confirmed,
    #[error("the order has {NOTES_MAX} notes, and that is the most")]
    TooManyNotes,
}

impl Order {
    /// The order that a first fact makes, if it is one.
    pub(crate) fn begun(order_id: &str, at: i64, fact: &Fact) -> Option<Self> {
        let Fact::Placed { user_id, items, total_cents, currency } = fact else { return None };
        Some(Self {
            order_id: order_id.to_owned(),
            user_id: user_id.clone(),
            status: Status::Pending,
            reason: None,
            total_cents: *total_cents,
            currency: currency.clone(),
            items: items.clone(),
            notes: 0,
            version: 1,
            created_at: at,
            updated_at: at,
        })
    }

    /// The order after one more fact.
    pub(crate) fn apply(&mut self, at: i64, fact: &Fact) {
        match fact {
            Fact::Confirmed => self.status = Status::Confirmed,
            Fact::Cancelled { reason } => {
                self.status = Status::Cancelled;
                self.reason = Some(reason.clone());
            }
            Fact::Noted { .. } => self.notes += 1,
            Fact::Placed { .. }
            | Fact::Reserved
            | Fact::Rejected { .. }
            | Fact::Charged { .. }
            | Fact::Declined { .. }
            | Fact::Refunded { .. } => {}
        }
        self.version += 1;
        self.updated_at = at;
    }

    /// What follows from what another service has said, which may come in any order: the first one that decides
    /// the order decides it for good, and the rest is written down.
    pub(crate) fn heard(&self, fact: Fact) -> Vec<Fact> {
        let decision = match (self.status, &fact) {
            (Status::Pending, Fact::Charged { .. }) => Some(Fact::Confirmed),
            (Status::Pending, Fact::Rejected { reason } | Fact::Declined { reason }) => {
                Some(Fact::Cancelled { reason: reason.clone() })
            }
            _ => None,
        };
        std::iter::once(fact).chain(decision).collect()
    }

    /// What follows when the customer cancels: only what is not confirmed can be undone.
    pub(crate) fn cancelled_by_customer(&self) -> Result<Vec<Fact>, Refused> {
        match self.status {
            Status::Pending => Ok(vec![Fact::Cancelled { reason: "cancelled by the customer".to_owned() }]),
            Status::Cancelled => Ok(Vec::new()),
            Status::Confirmed => Err(Refused::Confirmed),
        }
    }

    /// What follows when the time to pay is over: whoever should have answered never did, or too late.
    pub(crate) fn overdue(&self) -> Vec<Fact> {
        match self.status {
            Status::Pending => vec![Fact::Cancelled { reason: "not paid in time".to_owned() }],
            Status::Confirmed | Status::Cancelled => Vec::new(),
        }
    }

    /// What follows when somebody writes a note.
    pub(crate) fn noted(&self, text: &str) -> Result<Vec<Fact>, Refused> {
        if self.notes >= NOTES_MAX {
            return Err(Refused::TooManyNotes);
        }
        Ok(vec![Fact::Noted { text: text.to_owned() }])
    }
}

#[cfg(test)]
mod tests;
