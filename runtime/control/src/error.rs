//! What keeps an app from being deployed: everything that is wrong, not only the first of it.

use std::fmt;

use hull_manifest::Name;

/// What is wrong with one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentProblem {
    /// Which component.
    pub component: String,
    /// What is wrong, and what would mend it.
    pub message: String,
}

impl ComponentProblem {
    pub(crate) fn new(component: &Name, message: impl Into<String>) -> Self {
        Self { component: component.to_string(), message: message.into() }
    }
}

/// A deployment that failed. Nothing that serves was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployFailed {
    /// Which app.
    pub app: String,
    /// What is wrong, in the order of the manifest.
    pub problems: Vec<ComponentProblem>,
    /// Migrations that ran before something else failed; they stay.
    pub migrated: Vec<String>,
}

impl fmt::Display for DeployFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "app {} cannot be deployed; nothing that serves was changed", self.app)?;
        for problem in &self.problems {
            write!(f, "\n  {}: {}", problem.component, problem.message)?;
        }
        for migrated in &self.migrated {
            write!(f, "\n  {migrated} has run and stays")?;
        }
        Ok(())
    }
}

impl std::error::Error for DeployFailed {}
