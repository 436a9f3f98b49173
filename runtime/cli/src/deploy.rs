//! `hull deploy`: sends an app, or a new version of a component, to a daemon, which answers when it serves.

mod bundle;
mod sending;

use anyhow::Context as _;
use http::Method;
use hull_control::{Record, RolloutPlan, ShadowPlan};
use hull_manifest::Name;

use self::bundle::Bundle;
use crate::admin::{Call, Client};
use crate::options::DeployOptions;
use crate::progress::Progress;
use crate::terminal;

/// Deploy, and tell the revision.
pub(crate) async fn run(options: &DeployOptions) -> anyhow::Result<()> {
    if options.build {
        crate::build::build_all(&options.file)?;
    }
    let client = Client::find(&options.host)?;
    let (path, what, mut bundle) = match (&options.component, &options.wasm) {
        (Some(component), Some(wasm)) => {
            let bundle = Bundle::of_component(component, wasm, options.digest.as_ref()).await?;
            (client.app_path().await?, component.to_string(), bundle)
        }
        _ => {
            let (app, bundle) = Bundle::of_app(&options.file).await?;
            same_app(options.host.app.as_ref(), &app)?;
            (format!("/v1/apps/{app}"), app.to_string(), bundle)
        }
    };
    bundle.head.message.clone_from(&options.message);
    bundle.head.if_revision = options.if_revision;
    bundle.head.rollout = plan(options);
    bundle.head.force = options.force;
    for secret in &bundle.secrets_left_out {
        eprintln!(
            "note: variable `{secret}` is secret and was not sent: the host has its value from its own environment"
        );
    }
    let progress = Progress::new(1, true);
    let step = progress.begin(&format!("deploying {what} ({} KiB)", bundle.bytes() / 1024));
    let call = Call::new(Method::POST, format!("{path}/revisions")).deploying(Some(bundle.into_body()?));
    let deployed = client.json::<Record>(call).await;
    let is_tried = options.canary.is_some() || options.blue_green || options.shadow;
    match &deployed {
        Ok(record) if is_tried => {
            step.end(&format!("{} tries revision {}", record.app, record.revision));
        }
        Ok(record) => step.end(&format!("{} serves revision {}", record.app, record.revision)),
        Err(_) => step.end(&format!("{what} was not deployed")),
    }
    progress.finish();
    let record = deployed?;
    for broken in &record.forced {
        eprintln!("forced: {}", terminal::harmless(broken));
    }
    let next = if is_tried { " is tried; `hull rollout status` tells how it does" } else { "" };
    if options.host.json {
        terminal::print_json(&record)
    } else {
        terminal::print(&format!("{}{next}\n", told(&record)))
    }
}

/// How it is to be tried, if it is.
fn plan(options: &DeployOptions) -> Option<RolloutPlan> {
    let steps = match &options.canary {
        Some(shares) => shares.0.clone(),
        None if options.blue_green || options.shadow => Vec::new(),
        None => return None,
    };
    let shadow = options.shadow.then(|| ShadowPlan { ignore: options.ignore.clone() });
    let interval_ms = options.interval.as_millis() as u64;
    Some(RolloutPlan { steps, interval_ms, by: options.sticky.clone(), shadow })
}

fn same_app(asked: Option<&Name>, app: &Name) -> anyhow::Result<()> {
    match asked.filter(|asked| *asked != app) {
        None => Ok(()),
        Some(asked) => Err(anyhow::anyhow!("--app {asked}: the manifest is of app {app}"))
            .context("which of them is to be deployed?"),
    }
}

/// What a revision that serves is told as.
pub(crate) fn told(record: &Record) -> String {
    let restores = record.restores.map(|old| format!(", the content of revision {old}")).unwrap_or_default();
    format!("{} revision {}{restores}", record.app, record.revision)
}
