//! Triggers: what starts a component.

mod http;
mod messaging;

pub(crate) use http::read_http_trigger;
pub use http::{HttpTarget, HttpTrigger, StaticResponse, TriggerRoute};
pub(crate) use messaging::read_messaging_trigger;
pub use messaging::{Delivery, MessagingTrigger, Start};

use crate::read::{Span, Table};

/// A trigger with the places that checks between triggers and components need.
pub(crate) struct TriggerDraft<T> {
    pub(crate) trigger: T,
    /// Its route, or each of its subjects.
    pub(crate) matches_at: Vec<Span>,
}

/// The id of a trigger, which Spin uses to name inline components.
fn read_id(table: &Table<'_>) -> Option<String> {
    table.optional::<String>("id").filter(|id| !id.is_empty())
}
