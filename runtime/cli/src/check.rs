//! `hull check`: everything that can be said about an app without running it, and its effective configuration.

use std::path::Path;

use hull_manifest::{App, Host, Problem, effective_app, effective_host, effective_toml};
use serde_json::{Value, json};

use crate::failure::AlreadyTold;
use crate::fetching;
use crate::inspection::{self, Finding, Inspected, Origin, Severity};
use crate::manifest_files::{self, Loaded, WrongFiles};
use crate::options::CheckOptions;
use crate::terminal::{self, harmless};

/// Check, and print what is wrong or what is in effect.
pub(crate) async fn run(options: &CheckOptions) -> anyhow::Result<()> {
    let Loaded { app, host, base } = match manifest_files::load(&options.file, options.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            if let (true, Some(wrong)) = (options.json, error.downcast_ref::<WrongFiles>()) {
                terminal::print_json(&refused(&problems_json(wrong)))?;
                return Err(AlreadyTold.into());
            }
            return Err(error);
        }
    };
    let mut here = app.clone();
    let sources = fetching::bring_here(&mut here).await?;
    let Inspected { findings, origins } = inspection::inspect_components(&here, &host, &base, &sources);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    if !errors.is_empty() {
        return Err(refuse_components(&errors, options.json)?);
    }
    if options.json {
        return terminal::print_json(&accepted(&app, &host, &warnings, &origins));
    }
    for warning in &warnings {
        eprintln!("warning: {}: {}", harmless(&warning.file), harmless(&warning.message));
    }
    terminal::print(&format!("{}\n", effective_toml(&app).trim_end()))?;
    for origin in &origins {
        eprintln!("{}", harmless(&origin.told()));
    }
    eprintln!("{}", summary(&app, &options.file));
    Ok(())
}

fn refuse_components(findings: &[Finding], json: bool) -> anyhow::Result<anyhow::Error> {
    if json {
        terminal::print_json(&refused(&findings.iter().map(finding_json).collect::<Vec<_>>()))?;
        return Ok(AlreadyTold.into());
    }
    let lines: Vec<String> = findings.iter().map(|finding| format!("{}: {}", finding.file, finding.message)).collect();
    let what = if lines.len() == 1 { "problem" } else { "problems" };
    Ok(anyhow::anyhow!("{} {what} with the components\n{}", lines.len(), lines.join("\n")))
}

fn refused(problems: &[Value]) -> Value {
    json!({ "ok": false, "problems": problems })
}

fn problems_json(wrong: &WrongFiles) -> Vec<Value> {
    let of_file = |file: &str, problem: &Problem| {
        let Problem { line, column, message, remedy } = problem;
        json!({ "file": file, "line": line, "column": column, "message": message, "remedy": remedy })
    };
    let files = wrong.0.iter();
    files.flat_map(|file| file.problems.iter().map(move |problem| of_file(&file.file, problem))).collect()
}

fn finding_json(finding: &Finding) -> Value {
    json!({ "file": finding.file, "message": finding.message })
}

fn accepted(app: &App, host: &Host, warnings: &[Finding], origins: &[Origin]) -> Value {
    let warnings: Vec<_> = warnings.iter().map(finding_json).collect();
    let (app, host) = (effective_app(app), effective_host(host));
    json!({ "ok": true, "warnings": warnings, "components": origins, "app": app, "host": host })
}

fn summary(app: &App, file: &Path) -> String {
    let count = app.components.len();
    let what = if count == 1 { "component" } else { "components" };
    format!("{}: {} with {count} {what} is in order", file.display(), app.name)
}
