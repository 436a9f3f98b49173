//! `hull check`: everything that can be said about an app without running it, and its effective configuration.

use std::path::Path;

use hull_manifest::{Problem, effective_app, effective_host, effective_toml};
use serde_json::{Value, json};

use crate::failure::AlreadyTold;
use crate::inspection::{self, Finding, Severity};
use crate::manifest_files::{self, Loaded, WrongFiles};
use crate::options::CheckOptions;
use crate::terminal::{self, harmless};

/// Check, and print what is wrong or what is in effect.
pub(crate) fn run(options: &CheckOptions) -> anyhow::Result<()> {
    let loaded = match manifest_files::load(&options.file, options.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            if let (true, Some(wrong)) = (options.json, error.downcast_ref::<WrongFiles>()) {
                terminal::print_json(&refused(&problems_json(wrong)))?;
                return Err(AlreadyTold.into());
            }
            return Err(error);
        }
    };
    let findings = inspection::inspect_components(&loaded.app, &loaded.host, &loaded.base);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    if !errors.is_empty() {
        return Err(refuse_components(&errors, options.json)?);
    }
    if options.json {
        return terminal::print_json(&accepted(&loaded, &warnings));
    }
    for warning in &warnings {
        eprintln!("warning: {}: {}", harmless(&warning.file), harmless(&warning.message));
    }
    terminal::print(&format!("{}\n", effective_toml(&loaded.app).trim_end()))?;
    eprintln!("{}", summary(&loaded, &options.file));
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

fn accepted(loaded: &Loaded, warnings: &[Finding]) -> Value {
    let warnings: Vec<_> = warnings.iter().map(finding_json).collect();
    json!({ "ok": true, "warnings": warnings, "app": effective_app(&loaded.app), "host": effective_host(&loaded.host) })
}

fn summary(loaded: &Loaded, file: &Path) -> String {
    let count = loaded.app.components.len();
    let what = if count == 1 { "component" } else { "components" };
    format!("{}: {} with {count} {what} is in order", file.display(), loaded.app.name)
}
