//! What a customer wants.

use std::collections::BTreeMap;

use hull_sdk::{Check, Result};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Purchase {
    item: String,
    quantity: u32,
    card: String,
    address: String,
    /// To try things out: which command is answered with "not now", and how many times.
    #[serde(default)]
    busy: BTreeMap<String, u32>,
}

impl Purchase {
    /// 422 unless it makes sense by itself.
    pub(crate) fn check(&self) -> Result<()> {
        let mut check = Check::new();
        check.text("item", &self.item, 1..=100).range("quantity", self.quantity.into(), 1..=100);
        check.text("card", &self.card, 1..=100).text("address", &self.address, 1..=200);
        check.that(self.busy.len() <= 10, "busy", "must name 10 commands at most");
        check.done()
    }
}
