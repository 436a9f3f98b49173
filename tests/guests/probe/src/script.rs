//! Runs a script: step after step, each with its result, whatever came of the one before.

use serde_json::{Value, json};

use crate::op::{self, Step};

/// What `@name` stands for in the texts of a script.
pub(crate) struct Scope(Vec<(&'static str, String)>);

impl Scope {
    /// Nothing: a request carries its script literally.
    pub(crate) fn http() -> Self {
        Self(Vec::new())
    }

    /// Facts about an event.
    pub(crate) fn event(facts: Vec<(&'static str, String)>) -> Self {
        Self(facts)
    }

    /// A script with its names replaced.
    pub(crate) fn resolved(&self, script: &Value) -> Value {
        match script {
            Value::String(text) => {
                self.0.iter().find(|(name, _)| text == name).map_or(text, |(_, value)| value).clone().into()
            }
            Value::Array(items) => items.iter().map(|item| self.resolved(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.resolved(value))).collect()
            }
            other => other.clone(),
        }
    }
}

/// All steps and their results: `{"results": [...], "failed": N}`.
pub(crate) fn run(script: Vec<Step>, _scope: &Scope) -> Value {
    let mut open = None;
    let mut failed = 0;
    let mut results = Vec::new();
    for step in script {
        match op::perform(step, &mut open) {
            Ok(value) => results.push(value),
            Err(fault) => {
                failed += 1;
                results.push(fault.told());
            }
        }
    }
    json!({"results": results, "failed": failed})
}
