//! The host itself: how it starts and refuses to, what it keeps, how it ends, what the commands say about it.

mod admin;
mod commands;
mod config;
mod data;
mod ending;
mod refusals;
mod resting;
mod starting;
mod storages;
mod wire;

use std::time::Duration;

use hull_tests::app::{App, Ended};
use hull_tests::probe;

/// Compiling everything for the first time is part of it.
const START_TIME: Duration = Duration::from_mins(2);

/// An app of one probe with storage.
fn app() -> anyhow::Result<App> {
    App::of_text(&manifest(""))
}

/// Its manifest; `hull` is for the component's `tool.hull` table.
fn manifest(hull: &str) -> String {
    let granted = "key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]";
    probe::application("small") + &probe::component("probe", granted, hull)
}

/// Check that a command failed and said all of that.
fn failed(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status, Some(1), "{}", ended.said());
    for part in parts {
        assert!(ended.said().contains(part), "nothing of {part:?} in:\n{}", ended.said());
    }
    assert!(!ended.said().contains("panicked"), "{}", ended.said());
}
