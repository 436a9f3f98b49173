//! `hull audit`: the audit log of a host, and whether it is still what was written.

use std::fmt::Write as _;

use anyhow::bail;
use http::Method;
use hull_control::{AuditReport, Entry, verify_audit};
use serde::{Deserialize, Serialize};

use crate::admin::{self, Call, Client};
use crate::options::{AuditCommand, AuditOptions};
use crate::terminal::{self, harmless};

#[derive(Debug, Serialize, Deserialize)]
struct Entries {
    entries: Vec<Entry>,
}

/// Show the last entries, or verify all.
pub(crate) fn run(options: &AuditOptions) -> anyhow::Result<()> {
    let Some(AuditCommand::Verify(verify)) = &options.command else { return admin::block_on(list(options)) };
    let mut report = None;
    match &verify.folder {
        Some(folder) => report = Some(verify_audit(folder)?),
        None => admin::block_on(async {
            report = Some(Client::find(&verify.host)?.get::<AuditReport>("/v1/audit/verify").await?);
            Ok(())
        })?,
    }
    let Some(report) = report else { bail!("there is no report") };
    if verify.host.json {
        terminal::print_json(&report)?;
    }
    match &report.flaw {
        Some(flaw) => bail!("the audit log was changed: {flaw}; the {} entries before it are in order", report.entries),
        None if verify.host.json => Ok(()),
        None => {
            terminal::print(&format!("{} entries are in order; the last has hash {}\n", report.entries, report.head))
        }
    }
}

async fn list(options: &AuditOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let call = Call::new(Method::GET, "/v1/audit").query([("limit", options.limit.to_string())]);
    let page: Entries = client.json(call).await?;
    if options.host.json {
        return terminal::print_json(&page);
    }
    let mut text = String::new();
    for entry in page.entries.iter().rev() {
        let Entry { number, time, by, from, action, app, detail, result, .. } = entry;
        let line = format!("{number:>6}  {time}  {by} ({from})  {action} {app}: {result}  {detail}");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", harmless(line.trim_end()));
    }
    terminal::print(&text)
}
