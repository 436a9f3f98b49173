//! `hull build`: runs the build commands of components. One that fails does not keep the others from being built;
//! in the end all failures are told, each with the components that it concerns.

mod plan;
mod run;

use std::path::Path;

use hull_manifest::Name;
use serde_json::{Value, json};

use self::plan::{Step, plan};
use self::run::{Failed, run_step};
use crate::failure::AlreadyTold;
use crate::manifest_files;
use crate::options::BuildOptions;
use crate::progress::Progress;
use crate::terminal;

/// Build what the options say.
pub(crate) fn run(options: &BuildOptions) -> anyhow::Result<()> {
    let outcome = build(&options.file, &options.components, options.verbose)?;
    if options.json {
        terminal::print_json(&outcome.to_json())?;
        return if outcome.failed.is_empty() { Ok(()) } else { Err(AlreadyTold.into()) };
    }
    outcome.into_result()
}

/// Build all components of a manifest, as `hull up --build` does before it starts.
pub(crate) fn build_all(file: &Path) -> anyhow::Result<()> {
    build(file, &[], false)?.into_result()
}

struct Outcome {
    built: Vec<Step>,
    failed: Vec<(Step, Failed)>,
}

fn build(file: &Path, only: &[Name], verbose: bool) -> anyhow::Result<Outcome> {
    let (app, base) = manifest_files::load_unbuilt(file)?;
    let steps = plan(&app, only)?;
    let progress = Progress::new(steps.len(), !verbose);
    let mut outcome = Outcome { built: Vec::new(), failed: Vec::new() };
    for step in steps {
        let names = step.names();
        let running = progress.begin(&format!("building {names}"));
        match run_step(&step, &base, verbose, &|line| running.at(line)) {
            Ok(()) => {
                running.end(&format!("built {names}"));
                outcome.built.push(step);
            }
            Err(failed) => {
                running.end(&format!("failed to build {names}"));
                outcome.failed.push((step, failed));
            }
        }
    }
    progress.finish();
    Ok(outcome)
}

impl Outcome {
    fn into_result(self) -> anyhow::Result<()> {
        let names: Vec<String> = self.failed.iter().map(|(step, _)| step.names()).collect();
        let told: Vec<String> = self.failed.iter().map(|(step, failed)| failed.told(step)).collect();
        if told.is_empty() {
            return Ok(());
        }
        Err(anyhow::anyhow!("not built: {}\n{}", names.join(", "), told.join("\n")))
    }

    fn to_json(&self) -> Value {
        let built: Vec<&str> = self.built.iter().flat_map(Step::components).collect();
        let failed: Vec<Value> = self.failed.iter().map(|(step, failed)| failed.to_json(step)).collect();
        json!({ "built": built, "failed": failed })
    }
}
