//! Runs a script: step after step, each with its result, whatever came of the one before.

use serde_json::{Value, json};

use crate::op::{self, Step};

/// What `@name` stands for in the texts of a script.
pub(crate) struct Scope(Vec<(&'static str, String)>);

impl Scope {
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
                let publishes = fields.get("do").is_some_and(|verb| verb == "publish");
                // What is published has names of its own, for whoever handles it.
                let literal = |key: &str, value: &Value| publishes && key == "payload" && !value.is_string();
                let one = |(key, value): (&String, &Value)| {
                    let value = if literal(key, value) { value.clone() } else { self.resolved(value) };
                    (key.clone(), value)
                };
                fields.iter().map(one).collect()
            }
            other => other.clone(),
        }
    }
}

/// All steps and their results: `{"results": [...], "failed": N}`.
pub(crate) fn run(script: Vec<Step>) -> Value {
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
