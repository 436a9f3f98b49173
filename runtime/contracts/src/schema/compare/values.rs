//! Values that are listed: each of them is checked, and what that costs is part of what the comparison may cost.

use serde_json::Value;

use super::super::check::{Checking, Mismatch, shown};
use super::super::{At, Schemas, Shape, Types};
use super::{Comparing, Difference};

impl<'s> Comparing<'s> {
    /// The values that may be sent, where they are listed.
    pub(super) fn values_of(&mut self, shapes: &[(At, &'s Shape)], types: Types) -> Option<Vec<&'s Value>> {
        let listed = shapes.iter().find_map(|(_, shape)| shape.values.as_ref())?;
        Some(listed.iter().filter(|value| self.may_be_sent(value, shapes, types)).collect())
    }

    /// What cannot be told may be.
    fn may_be_sent(&mut self, value: &Value, shapes: &[(At, &Shape)], types: Types) -> bool {
        let sent = self.sent;
        let mut fits = |at: At| self.checked(sent, at, value).err().is_none_or(|mismatch| mismatch.is_costly());
        types.has(Types::of(value)) && shapes.iter().all(|(at, _)| fits(*at))
    }

    pub(super) fn each_value(&mut self, at: At, covering: &Shape, values: &[&Value], path: &str) {
        let schemas = self.covering;
        for value in values {
            let Err(mismatch) = self.checked(schemas, at, value) else { continue };
            // That all steps are taken is told of the whole.
            if self.steps_left == 0 {
                return;
            }
            let difference = if mismatch.is_costly() {
                Difference::Unclear
            } else if covering.types.has(Types::of(value)) {
                Difference::Value
            } else {
                Difference::Type
            };
            self.found(path, difference, format!("it may be {}, which {}", shown(value), mismatch.what()));
        }
    }

    fn checked(&mut self, schemas: &Schemas, at: At, value: &Value) -> Result<(), Mismatch> {
        let mut checking = Checking::within(schemas, self.steps_left);
        let checked = checking.value(at, value);
        self.spend(checking.spent());
        checked
    }
}
