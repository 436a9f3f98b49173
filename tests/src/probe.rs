//! Talking to the probe (`tests/guests/probe`): scripts go in, results come out.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::http::{Answer, Client};

/// Run a script in the probe at this path, which ends in `/run`, and return the results of its steps.
pub fn run(client: &Client, path: &str, script: &Value) -> anyhow::Result<Vec<Value>> {
    results(&client.post(path, script)?.expect(200)?)
}

/// Run a script every step of which must work.
pub fn must(client: &Client, path: &str, script: &Value) -> anyhow::Result<Vec<Value>> {
    let answer = client.post(path, script)?.expect(200)?;
    anyhow::ensure!(answer.json()?.get("failed") == Some(&json!(0)), "a step failed: {}", answer.text());
    results(&answer)
}

/// Run a script of one step, and return its result.
pub fn one(client: &Client, path: &str, step: &Value) -> anyhow::Result<Value> {
    let results = run(client, path, &json!([step]))?;
    results.into_iter().next().context("no result")
}

/// The single value that a query returns.
pub fn scalar(client: &Client, path: &str, sql: &str) -> anyhow::Result<Value> {
    let rows = one(client, path, &json!({"do": "query", "sql": sql}))?;
    rows.pointer("/0/0").cloned().with_context(|| format!("{sql}: {rows}"))
}

fn results(answer: &Answer) -> anyhow::Result<Vec<Value>> {
    let value = answer.json()?;
    let results = value.get("results").and_then(Value::as_array);
    results.cloned().with_context(|| format!("no results: {value}"))
}

/// The manifest of one probe: `hull` is for its `tool.hull` table, `more` for its `[component]` table.
pub fn component(name: &str, more: &str, hull: &str) -> String {
    format!(
        "[[trigger.http]]\nroute = \"/{name}/...\"\ncomponent = \"{name}\"\n\
         [component.{name}]\nsource = \"{{probe}}\"\n{more}\n[component.{name}.tool.hull]\n{hull}\n"
    )
}

/// The start of every manifest.
pub fn application(name: &str) -> String {
    format!("spin_manifest_version = 2\n[application]\nname = \"{name}\"\nversion = \"1.0.0\"\n")
}
