//! `hull verify`: what consumers have recorded of a component, asked of a version before it serves, and compared field by
//! field.

mod asking;
mod report;
mod trial;

use std::path::Path;

use anyhow::Context as _;
use hull_contracts::Reliance;
use hull_manifest::{App, Name};

use self::asking::Asking;
use self::report::{Outcome, render};
use self::trial::Trial;
use crate::admin::Client;
use crate::failure::AlreadyTold;
use crate::manifest_files::{ToSend, load_to_send};
use crate::options::{HostOptions, VerifyContractOptions};
use crate::progress::Progress;
use crate::terminal;

/// What one consumer relies on of one provider.
pub(super) struct Suite {
    pub(super) consumer: String,
    pub(super) provider: Name,
    pub(super) reliance: Reliance,
}

/// Verify, and fail if anything does not fit.
pub(crate) async fn run(options: &VerifyContractOptions) -> anyhow::Result<()> {
    if options.build {
        crate::build::build_all(&options.file)?;
    }
    let ToSend { app, base, .. } = load_to_send(&options.file)?;
    let suites = suites(&app, &base, options.component.as_ref())?;
    let whose = options.component.as_ref().map_or_else(|| format!("app {}", app.name), ToString::to_string);
    if suites.is_empty() {
        eprintln!("nobody has recorded what they rely on of {whose}: see docs/guide/contracts.md");
        return if options.host.json { terminal::print_json(&Vec::<Outcome>::new()) } else { Ok(()) };
    }
    let outcomes = if options.preview {
        let client = Client::find(&HostOptions { app: Some(app.name.clone()), ..options.host.clone() })?;
        ask_all(&Asking { client, app: &app.name, preview: true }, &suites).await?
    } else {
        let progress = Progress::new(1, true);
        let step = progress.begin(&format!("starting {} with data of its own", app.name));
        let trial = Trial::start(&options.file, &app, options.host.state_dir.as_deref()).await?;
        step.end("started");
        progress.finish();
        let client = Client::find(&trial.options(&options.host))?;
        let asked = ask_all(&Asking { client, app: &app.name, preview: false }, &suites).await;
        trial.end().await;
        asked?
    };
    if options.host.json {
        terminal::print_json(&outcomes)?
    } else {
        terminal::print(&render(&outcomes))?
    }
    if outcomes.iter().all(Outcome::is_good) { Ok(()) } else { Err(AlreadyTold.into()) }
}

async fn ask_all(asking: &Asking<'_>, suites: &[Suite]) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for suite in suites {
        for interaction in &suite.reliance.interactions {
            let outcome = asking.verify(suite, interaction).await;
            outcomes.push(outcome.with_context(|| format!("{}: {}", suite.consumer, interaction.description))?);
        }
    }
    Ok(outcomes)
}

/// What is relied on of that provider, or of all of them.
fn suites(app: &App, base: &Path, only: Option<&Name>) -> anyhow::Result<Vec<Suite>> {
    if let Some(unknown) = only.filter(|name| app.component(name.as_str()).is_none()) {
        anyhow::bail!("app {} has no component {unknown}", app.name);
    }
    let mut suites = Vec::new();
    for component in &app.components {
        let contract = hull_control::read_contract(component, base);
        let contract = contract.map_err(|problem| anyhow::anyhow!("{}: {}", problem.component, problem.message))?;
        let Some(contract) = contract else { continue };
        for (provider, reliance) in contract.relies_on {
            let Some(found) = app.component(&provider) else {
                anyhow::bail!("{} relies on {provider}, and app {} has no such component", component.name, app.name);
            };
            suites.push(Suite { consumer: component.name.to_string(), provider: found.name.clone(), reliance });
        }
        for (consumer, reliance) in contract.consumers {
            suites.push(Suite { consumer, provider: component.name.clone(), reliance });
        }
    }
    suites.retain(|suite| only.is_none_or(|only| suite.provider == *only));
    Ok(suites)
}
