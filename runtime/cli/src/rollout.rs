//! `hull rollout`: what a revision that is being tried is at, and what is to become of it.

use std::fmt::Write as _;

use http::Method;
use serde_json::Value;

use crate::admin::{Call, Client};
use crate::options::{RolloutOptions, RolloutWord};
use crate::terminal::{self, harmless};

/// Show or decide.
pub(crate) async fn run(options: &RolloutOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let path = format!("{}/rollout", client.app_path().await?);
    let word = match options.word {
        RolloutWord::Status => None,
        RolloutWord::Promote => Some("promote"),
        RolloutWord::Abort => Some("abort"),
        RolloutWord::Pause => Some("pause"),
        RolloutWord::Resume => Some("resume"),
    };
    let status: Value = match word {
        None => client.get(&path).await?,
        Some(word) => client.json(Call::new(Method::POST, format!("{path}/{word}")).deploying(None)).await?,
    };
    if options.host.json { terminal::print_json(&status) } else { terminal::print(&shown(&status)) }
}

/// The figures of a parallel run, and one line for each field that differs.
fn shown_shadow(shadow: &Value, text: &mut String) {
    if !shadow.is_object() {
        return;
    }
    let _ = writeln!(
        text,
        "  shadow: {} alike, {} different, {} failed, {} dropped",
        shadow["same"], shadow["different"], shadow["failed"], shadow["dropped"]
    );
    for (reason, count) in shadow["not_compared"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "  {count} not compared: {}", harmless(reason));
    }
    for mismatch in shadow["mismatches"].as_array().into_iter().flatten() {
        let word = |key: &str| harmless(mismatch[key].as_str().unwrap_or_default());
        let (method, route, field) = (word("method"), word("route"), word("field"));
        let _ = writeln!(
            text,
            "  {} times {method} {route} {field}: {} instead of {} ({}, request {})",
            mismatch["count"],
            word("new"),
            word("old"),
            word("target"),
            word("request_id")
        );
    }
}

fn shown(status: &Value) -> String {
    let mut text = String::new();
    let running = &status["running"];
    if running.is_object() {
        let percent = |value: &Value| format!("{}%", value.as_f64().unwrap_or_default() / 100.0);
        let steps = running["steps"].as_array().map(|steps| steps.iter().map(percent).collect::<Vec<_>>().join(","));
        let (state, share) = (running["state"].as_str().unwrap_or_default(), percent(&running["share"]));
        // Writing to a string does not fail.
        let _ = writeln!(text, "revision {}: {state}, {share} of {}", running["revision"], steps.unwrap_or_default());
        for side in ["stable", "canary"] {
            let figures = &running[side];
            let p99 = figures["p99_ms"].as_f64().unwrap_or_default();
            let _ = writeln!(
                text,
                "{side:>8}: {} requests, {} failed, p99 {p99:.1} ms",
                figures["requests"], figures["failed"]
            );
        }
        shown_shadow(&running["shadow"], &mut text);
        let waiting = running["waiting"].as_str().filter(|waiting| !waiting.is_empty());
        let _ = waiting.map(|waiting| writeln!(text, "{}", harmless(waiting)));
    } else {
        text.push_str("no rollout is under way\n");
    }
    let last = &status["last"];
    if let (Some(outcome), Some(reason)) = (last["outcome"].as_str(), last["reason"].as_str()) {
        let time = last["time"].as_str().unwrap_or_default();
        let before = if running.is_object() { "the one before: " } else { "" };
        let _ = writeln!(text, "{before}revision {} was {outcome} at {time}: {}", last["revision"], harmless(reason));
    }
    text
}
