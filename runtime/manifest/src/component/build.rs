//! `[component.NAME.build]`: how `hull build` makes a component.

use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting};

/// Commands that make a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Run one after the other by a shell.
    pub commands: Vec<String>,
    /// Where they run, relative to the manifest.
    pub workdir: Option<String>,
    /// Files whose change asks for a new build, as globs relative to `workdir`.
    pub watch: Vec<String>,
}

const COMMAND: &str = "\"cargo build --release --target wasm32-wasip2\" or a list of commands";

impl Setting for Build {
    const WANTED: &'static str = "{ command = \"…\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let command = table.required_item("command", COMMAND);
        let workdir = table.optional("workdir");
        let watch = table.or("watch", Vec::new());
        table.finish();
        let command = command?;
        let commands = match (command.value.as_str(), command.value.as_array()) {
            (Some(one), _) => vec![one.to_owned()],
            (_, Some(_)) => Vec::read(&command)?,
            _ => {
                command.unwanted(COMMAND);
                return None;
            }
        };
        if commands.is_empty() || commands.iter().any(|command| command.trim().is_empty()) {
            command.wrong("there is nothing to run", format!("write {COMMAND}"));
        }
        Some(Self { commands, workdir, watch })
    }

    fn show(&self) -> Shown {
        Shown::Section(vec![
            Entry::new("command", self.commands.show()),
            Entry::defaulted("workdir", &self.workdir, &None),
            Entry::defaulted("watch", &self.watch, &Vec::new()),
        ])
    }
}
