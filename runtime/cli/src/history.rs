//! `hull history` and `hull diff`: what was deployed, and what differs.

mod difference;
mod lines;

use std::fmt::Write as _;

use anyhow::Context as _;
use hull_control::Record;
use serde::{Deserialize, Serialize};

use self::difference::Difference;
use crate::admin::{Call, Client};
use crate::options::{DiffOptions, HistoryOptions};
use crate::terminal::{self, harmless};

/// A page of the host's answer.
#[derive(Debug, Serialize, Deserialize)]
struct Page {
    revisions: Vec<Record>,
    next: Option<u64>,
}

/// A revision with the text of its manifest.
#[derive(Debug)]
struct Full {
    record: Record,
    manifest: String,
}

/// List revisions, the newest first.
pub(crate) async fn run(options: &HistoryOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let call = Call::new(http::Method::GET, format!("{app}/revisions")).query([("limit", options.limit.to_string())]);
    let page: Page = client.json(call).await?;
    if options.host.json {
        return terminal::print_json(&page);
    }
    let mut text = String::new();
    for record in &page.revisions {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line(record));
    }
    terminal::print(&text)
}

fn line(record: &Record) -> String {
    let Record { revision, time, by, message, restores, version, .. } = record;
    let restores = restores.map(|old| format!("content of {old}"));
    let version = Some(version).filter(|version| !version.is_empty()).map(|version| format!("version {version}"));
    let message = Some(message).filter(|message| !message.is_empty()).cloned();
    let rest: Vec<String> = [restores, version, message].into_iter().flatten().collect();
    harmless(&format!("{revision:>5}  {time}  {by:<12}  {}", rest.join(", "))).trim_end().to_owned()
}

/// Show what the newer revision has that the older one has not, and the other way round.
pub(crate) async fn diff(options: &DiffOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let newer = match options.to {
        Some(revision) => full(&client, &app, &revision.to_string()).await?,
        None => full(&client, &app, "current").await?,
    };
    let before = options.from.unwrap_or(newer.record.revision.saturating_sub(1));
    anyhow::ensure!(before > 0, "revision {} is the first: there is none before it", newer.record.revision);
    let older = full(&client, &app, &before.to_string()).await?;
    let difference = Difference::between((&older.record, &older.manifest), (&newer.record, &newer.manifest));
    if options.host.json { terminal::print_json(&difference) } else { terminal::print(&difference.shown()) }
}

async fn full(client: &Client, app: &str, revision: &str) -> anyhow::Result<Full> {
    let mut value: serde_json::Value = client.get(&format!("{app}/revisions/{revision}")).await?;
    let text = value.as_object_mut().and_then(|fields| fields.remove("manifest_text"));
    let manifest = text.as_ref().and_then(serde_json::Value::as_str).context(crate::admin::UNEXPECTED)?.to_owned();
    let record = serde_json::from_value(value).context(crate::admin::UNEXPECTED)?;
    Ok(Full { record, manifest })
}
