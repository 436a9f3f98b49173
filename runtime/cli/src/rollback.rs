//! `hull rollback`: an old revision's content, committed again.

use http::Method;
use hull_control::Record;

use crate::admin::{Call, Client};
use crate::deploy::told;
use crate::options::RollbackOptions;
use crate::terminal;

/// Go back, and tell the revision that serves.
pub(crate) async fn run(options: &RollbackOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let mut query = vec![("message", options.message.clone())];
    query.extend(options.revision.map(|revision| ("revision", revision.to_string())));
    let call = Call::new(Method::POST, format!("{app}/rollback")).query(query).deploying(None);
    let record: Record = client.json(call).await?;
    if options.host.json { terminal::print_json(&record) } else { terminal::print(&format!("{}\n", told(&record))) }
}
