//! What is to be run for which components: a command that several of them share is run once.

use anyhow::bail;
use hull_manifest::{App, Component, Name};

/// Commands, and the components that they make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    components: Vec<Name>,
    /// Relative to the manifest's folder.
    pub(super) workdir: Option<String>,
    /// Run one after the other.
    pub(super) commands: Vec<String>,
}

impl Step {
    /// The names of the components.
    pub(super) fn components(&self) -> impl Iterator<Item = &str> {
        self.components.iter().map(Name::as_str)
    }

    /// The names of the components, for people.
    pub(super) fn names(&self) -> String {
        self.components().collect::<Vec<_>>().join(", ")
    }
}

/// The steps in the order of the manifest, for all components that have commands or only for some.
pub(super) fn plan(app: &App, only: &[Name]) -> anyhow::Result<Vec<Step>> {
    for name in only {
        match app.component(name.as_str()) {
            None => bail!("{} has no component `{name}`: it has {}", app.name, known(app)),
            Some(component) if component.build.is_none() => {
                bail!("`{name}` has no build command: add command = \"…\" to [component.{name}.build] of the manifest")
            }
            Some(_) => {}
        }
    }
    let wanted = |component: &&Component| only.is_empty() || only.contains(&component.name);
    let mut steps: Vec<Step> = Vec::new();
    for component in app.components.iter().filter(wanted) {
        let Some(build) = &component.build else { continue };
        let same = |step: &&mut Step| step.workdir == build.workdir && step.commands == build.commands;
        match steps.iter_mut().find(same) {
            Some(step) => step.components.push(component.name.clone()),
            None => steps.push(Step {
                components: vec![component.name.clone()],
                workdir: build.workdir.clone(),
                commands: build.commands.clone(),
            }),
        }
    }
    if steps.is_empty() {
        bail!("there is nothing to build: no component of {} has a [component.NAME.build]", app.name);
    }
    Ok(steps)
}

fn known(app: &App) -> String {
    app.components.iter().map(|component| component.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use hull_manifest::{App, Reading};

    use super::plan;

    fn app(builds: &[(&str, &str)]) -> App {
        let component = |(name, build): &(&str, &str)| format!("[component.{name}]\nsource = \"x\"\n{build}\n");
        let components: String = builds.iter().map(component).collect();
        let trigger = "[[trigger.http]]\nroute = \"/\"\nstatic_response = { body = \"\" }";
        let text = format!("spin_manifest_version = 2\n[application]\nname = \"shop\"\n{trigger}\n{components}");
        App::parse(&text, &Reading::alone("spin.toml")).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
    }

    #[test]
    fn a_shared_command_is_run_once() {
        let all = "build = { command = \"make all\", workdir = \"src\" }";
        let elsewhere = "build = { command = \"make all\" }";
        let app = app(&[("a", all), ("b", elsewhere), ("c", all), ("d", "")]);
        let steps = plan(&app, &[]).expect("a plan");
        let names: Vec<String> = steps.iter().map(super::Step::names).collect();
        assert_eq!(names, ["a, c", "b"]);
        assert_eq!(steps[0].commands, ["make all"]);
        let steps = plan(&app, &["c".parse().expect("a name")]).expect("a plan");
        assert_eq!(steps.iter().map(super::Step::names).collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn what_cannot_be_built_is_told() {
        let told = |app: &App, only: &str| {
            let only: Vec<_> = only.split_whitespace().map(|name| name.parse().expect("a name")).collect();
            plan(app, &only).expect_err("nothing to do").to_string()
        };
        let app = app(&[("a", "")]);
        assert!(told(&app, "").contains("nothing to build"));
        assert!(told(&app, "b").contains("has no component `b`: it has a"));
        assert!(told(&app, "a").contains("[component.a.build]"));
    }
}
