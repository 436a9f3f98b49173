//! `hull remove`: an app is served no more.

use http::Method;
use serde_json::Value;

use crate::admin::{Call, Client};
use crate::options::RemoveOptions;
use crate::terminal;

/// Remove it, and wait until nothing of it runs.
pub(crate) async fn run(options: &RemoveOptions) -> anyhow::Result<()> {
    let app = &options.name;
    let query = options.purge.then(|| ("purge", "true".to_owned()));
    let call = Call::new(Method::DELETE, format!("/v1/apps/{app}")).query(query).deploying(None);
    let removed: Value = Client::find(&options.host)?.json(call).await?;
    if options.host.json {
        return terminal::print_json(&removed);
    }
    let left = if options.purge { "with its data" } else { "its data stays until it is purged" };
    terminal::print(&format!("{app} is removed, {left}\n"))
}
