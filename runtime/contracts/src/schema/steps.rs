//! What comparisons may cost together: a deployment draws on one store of steps, however many schemas it brings.

use std::cell::Cell;

/// Steps of all comparisons of one deployment; about a second.
const STEPS_MAX: u64 = 50_000_000;

/// Steps that are left.
pub(crate) struct Steps(Cell<u64>);

impl Steps {
    pub(crate) fn new() -> Self {
        Self(Cell::new(STEPS_MAX))
    }

    pub(crate) fn left(&self) -> u64 {
        self.0.get()
    }

    /// Take some; whether they were there. After they were not, none is.
    pub(crate) fn take(&self, steps: u64) -> bool {
        let left = self.left().checked_sub(steps);
        self.0.set(left.unwrap_or_default());
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Steps;
    use crate::finding::Rule;
    use crate::schema::{Direction, Schema};

    #[test]
    fn comparisons_draw_on_the_same_steps() {
        let schema = Schema::read(&json!({"properties": {"a": {"enum": ["x", "y"]}}})).expect("a schema");
        let steps = Steps::new();
        let all = steps.left();
        assert_eq!(schema.missing_within(&schema, Direction::Event, &steps), []);
        let one = all - steps.left();
        assert!(one > 0, "it costs something");
        assert!(steps.take(steps.left() - one / 2));
        for _ in 0..2 {
            let found = schema.missing_within(&schema, Direction::Event, &steps);
            let rules: Vec<Rule> = found.iter().map(|change| change.rule).collect();
            assert_eq!(rules, [Rule::NotComparable], "{found:?}");
            assert_eq!(steps.left(), 0);
        }
        assert!(!steps.take(1));
    }
}
