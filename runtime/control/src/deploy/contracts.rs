//! Contracts of components: read from the folders that the manifest names, and compared with each other and with those of
//! the revision that serves before another one may.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hull_contracts::{CONTRACT_FILE_BYTES_MAX, CONTRACT_FILES_MAX, Contract, EventSchemas, Finding, Party, check_app};
use hull_manifest::{App, Component, Name, SubjectPattern};
use hull_threads::aside;

use crate::deploy::{Deployed, failed};
use crate::deployments::{DeploymentError, Deployments};
use crate::error::{ComponentProblem, DeployFailed};
use crate::node::Node;
use crate::revisions::{Draft, Record};

/// The folders within a contract's.
const FOLDERS: [&str; 4] = ["", "events", "relies-on", "consumers"];

/// What a component ships; none where the manifest names no folder. Reads files: not for the serving threads.
pub fn read_contract(component: &Component, base: &Path) -> Result<Option<Contract>, ComponentProblem> {
    let problem = |what: String| about(component, &what);
    let Some(folder) = &component.hull.contracts else { return Ok(None) };
    let Some(dir) = opened(&base.join(folder)).map_err(&problem)? else { return Ok(Some(Contract::default())) };
    let mut texts = BTreeMap::new();
    for file in names(&dir).map_err(&problem)? {
        let read = || {
            let metadata = dir.metadata(&file)?;
            if !metadata.is_file() || metadata.len() > CONTRACT_FILE_BYTES_MAX {
                let what = format!("it is no regular file of {} KiB at the most", CONTRACT_FILE_BYTES_MAX >> 10);
                return Err(std::io::Error::other(what));
            }
            dir.read_to_string(&file)
        };
        let text = read().map_err(|error| problem(format!("{file}: {error}")))?;
        texts.insert(file, text);
    }
    let files = texts.iter().map(|(file, text)| (file.as_str(), text.as_str()));
    let contract = Contract::read(files).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        problem(errors.join("; "))
    })?;
    Ok(Some(contract))
}

/// The files of a component's contract, by their paths below the folder of the manifest.
pub fn contract_files(component: &Component, base: &Path) -> Result<Vec<PathBuf>, ComponentProblem> {
    let problem = |what: String| about(component, &what);
    let Some(folder) = &component.hull.contracts else { return Ok(Vec::new()) };
    let Some(dir) = opened(&base.join(folder)).map_err(&problem)? else { return Ok(Vec::new()) };
    let folder: PathBuf = Path::new(folder).components().filter(|part| *part != std::path::Component::CurDir).collect();
    Ok(names(&dir).map_err(&problem)?.into_iter().map(|file| folder.join(file)).collect())
}

/// A folder. One that is empty is not sent: where a revision is laid out it is not there. Whoever reads the manifest where
/// it was written has asked whether it is.
fn opened(folder: &Path) -> Result<Option<Dir>, String> {
    match Dir::open_ambient_dir(folder, ambient_authority()) {
        Ok(dir) => Ok(Some(dir)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The names of a contract's files. What is no JSON is somebody else's, such as a README.
fn names(dir: &Dir) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for folder in FOLDERS {
        let path = if folder.is_empty() { "." } else { folder };
        let entries = match dir.read_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| format!("{path}: {error}"))?,
        };
        for entry in entries {
            let name = entry.map_err(|error| error.to_string())?.file_name();
            let name = name.into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
            if Path::new(&name).extension().is_some_and(|extension| extension == "json") {
                names.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
            if names.len() > CONTRACT_FILES_MAX {
                return Err(format!("it has more than {CONTRACT_FILES_MAX} files"));
            }
        }
    }
    names.sort();
    Ok(names)
}

fn about(component: &Component, what: &str) -> ComponentProblem {
    let folder = component.hull.contracts.as_deref().unwrap_or_default();
    let key = format!("`contracts` of [component.{}.tool.hull]", component.name);
    ComponentProblem::new(&component.name, format!("{key}: {folder}: {what}"))
}

/// The schemas to check events with, where there are any.
pub(crate) fn event_schemas(contract: Option<&Contract>) -> Option<Arc<EventSchemas>> {
    contract.map(|contract| &contract.events).filter(|events| !events.is_empty()).cloned().map(Arc::new)
}

/// The contracts of an app's components by name. All that is wrong with them is told.
pub(crate) fn read_contracts(app: &App, base: &Path) -> Result<BTreeMap<Name, Contract>, Vec<ComponentProblem>> {
    let (mut contracts, mut problems) = (BTreeMap::new(), Vec::new());
    for component in &app.components {
        match read_contract(component, base) {
            Ok(Some(contract)) => {
                problems.extend(unheard(app, component, &contract));
                contracts.insert(component.name.clone(), contract);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(contracts) } else { Err(problems) }
}

/// A schema of an event that the component neither publishes nor handles has a wrong name.
fn unheard(app: &App, component: &Component, contract: &Contract) -> Vec<ComponentProblem> {
    let handled: Vec<&SubjectPattern> = handled_by(app, component);
    let is_unheard = |pattern: &&SubjectPattern| {
        !component.hull.publishes.iter().chain(handled.iter().copied()).any(|one| one.overlaps(pattern))
    };
    let problem = |pattern: &SubjectPattern| {
        about(
            component,
            &format!(
                "events/{pattern}.json: the component neither publishes nor handles {pattern}; rename it, or remove it"
            ),
        )
    };
    contract.events.patterns().filter(is_unheard).map(problem).collect()
}

fn handled_by<'a>(app: &'a App, component: &'a Component) -> Vec<&'a SubjectPattern> {
    app.subscriptions(component).flat_map(|trigger| &trigger.subjects).collect()
}

/// Whom a revision would break, of its own components and of what waits for those that run.
pub(crate) fn findings(app: &App, contracts: &BTreeMap<Name, Contract>, running: Option<&Deployed>) -> Vec<Finding> {
    let new = Members::of(app, |name| contracts.get(name));
    let old = running.map(|running| {
        Members::of(&running.app, |name| {
            let served = running.components.iter().find(|served| served.id.component() == name.as_str())?;
            served.contract.as_deref()
        })
    });
    check_app(&new.parties(), &old.as_ref().map(Members::parties).unwrap_or_default())
}

/// All that is wrong with the contracts of an app that runs nowhere yet. Reads files: not for the serving threads.
pub fn contract_problems(app: &App, base: &Path) -> Vec<ComponentProblem> {
    match read_contracts(app, base) {
        Ok(contracts) => problems(&findings(app, &contracts, None)),
        Err(problems) => problems,
    }
}

/// Findings as reasons not to deploy.
pub(crate) fn problems(findings: &[Finding]) -> Vec<ComponentProblem> {
    let problem = |finding: &Finding| ComponentProblem {
        component: finding.provider.clone(),
        message: format!("its contract: {finding}"),
    };
    findings.iter().map(problem).collect()
}

/// The components of an app with their contracts, and what they handle.
struct Members<'a>(Vec<Member<'a>>);

struct Member<'a> {
    component: &'a Component,
    contract: Option<&'a Contract>,
    handles: Vec<&'a SubjectPattern>,
}

impl<'a> Members<'a> {
    fn of(app: &'a App, contract: impl Fn(&Name) -> Option<&'a Contract>) -> Self {
        let member = |component: &'a Component| {
            let handles = handled_by(app, component);
            Member { component, contract: contract(&component.name), handles }
        };
        Self(app.components.iter().map(member).collect())
    }

    fn parties(&self) -> Vec<Party<'_>> {
        let parties = self.0.iter().map(|Member { component, contract, handles }| Party {
            name: component.name.as_str(),
            contract: *contract,
            publishes: &component.hull.publishes,
            handles,
        });
        parties.collect()
    }
}

impl Node {
    /// Whom an app would break that is to serve in place of what does. Contracts that cannot be read are an error.
    pub(crate) async fn contract_findings(&self, app: &App, base: &Path) -> Result<Vec<Finding>, DeployFailed> {
        let (read, path) = (app.clone(), base.to_owned());
        let read = aside(async move { read_contracts(&read, &path) }).await;
        let lost = |error: std::io::Error| {
            vec![ComponentProblem { component: "contracts".to_owned(), message: error.to_string() }]
        };
        let read = read.unwrap_or_else(|error| Err(lost(error)));
        let found = read.map_err(|problems| failed(app, problems, Vec::new()))?;
        let running = self.apps.read().await.get(app.name.as_str()).cloned();
        // To compare may take a second: the serving threads have others to serve.
        let new = app.clone();
        let compared = aside(async move { findings(&new, &found, running.as_ref()) }).await;
        compared.map_err(|error| failed(app, lost(error), Vec::new()))
    }
}

impl Deployments {
    /// A revision that was sent breaks nobody who relies on another one, or says that it is to do so. One that served
    /// before serves again without being asked: whoever goes back has a reason.
    pub(crate) async fn within_contracts(
        &self,
        record: Record,
        draft: &Draft,
        app: &App,
    ) -> Result<Record, DeploymentError> {
        if !draft.was_sent() {
            return Ok(record);
        }
        let findings = self.node.contract_findings(app, &draft.tree()).await;
        let findings = findings.map_err(|failed| DeploymentError::Refused(failed.to_string()))?;
        if findings.is_empty() {
            return Ok(record);
        }
        if draft.head.force {
            let forced: Vec<String> = findings.iter().map(ToString::to_string).collect();
            tracing::warn!(app = %app.name, revision = record.revision, broken = forced.join("; "), "forced past contracts");
            return Ok(Record { forced, ..record });
        }
        let failed = failed(app, problems(&findings), Vec::new());
        let remedy = "mend it, let the consumer do without it first, or deploy with --force";
        Err(DeploymentError::Refused(format!(
            "{failed}
  {remedy}"
        )))
    }
}
