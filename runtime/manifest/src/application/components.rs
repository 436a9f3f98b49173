//! All components of an app, whether they have tables of their own or are written inline in a trigger.

use std::collections::BTreeMap;

use crate::application::Context;
use crate::component::{ComponentDraft, read_component};
use crate::name::Name;
use crate::read::{Item, Span, Table, did_you_mean};

/// The most components of one app.
const COMPONENTS_MAX: usize = 1024;

/// Names that mean something else where components are named.
const RESERVED: [&str; 2] = ["self", "spin"];

/// The components that were read so far.
pub(crate) struct Components<'c> {
    pub(crate) context: &'c Context<'c>,
    /// Those that could be read.
    pub(crate) drafts: Vec<ComponentDraft>,
    /// Every name that was declared, also of those that could not be read; none if it cannot be a name.
    names: BTreeMap<String, Option<Name>>,
}

impl<'c> Components<'c> {
    /// Read the tables of `[component]`.
    pub(crate) fn read(root: &Table<'_>, context: &'c Context<'c>) -> Self {
        let mut components = Self { context, drafts: Vec::new(), names: BTreeMap::new() };
        let entries = root.table("component").map(|table| table.entries()).unwrap_or_default();
        if entries.len() > COMPONENTS_MAX {
            let message = format!("there are {} components", entries.len());
            root.report.wrong(&root.span, message, format!("an app may have {COMPONENTS_MAX}"));
            return components;
        }
        for (key, item) in entries {
            match key.value.parse::<Name>() {
                Ok(name) => components.add(name, &key.span, &item),
                Err(invalid) => {
                    components.names.insert(key.value.to_owned(), None);
                    root.report.invalid(&key.span, &item.path, invalid);
                }
            }
        }
        components
    }

    fn add(&mut self, name: Name, name_at: &Span, item: &Item<'_>) {
        if RESERVED.contains(&name.as_str()) {
            let message = format!("`{name}` is a reserved name");
            item.report.wrong(name_at, message, "give the component another name");
        }
        self.names.insert(name.as_str().to_owned(), Some(name.clone()));
        self.drafts.extend(read_component(name, item, self.context));
    }

    /// The component of a trigger: its name, or all of it. An inline one is named after the trigger's id.
    pub(crate) fn of_trigger(&mut self, item: &Item<'_>, id: Option<&str>) -> Option<Name> {
        if item.value.as_table().is_some() {
            let name = self.inline_name(id)?;
            self.add(name.clone(), &item.span, item);
            return Some(name);
        }
        let text = item.text("a component's name, or a component in braces")?;
        let declared = self.names.get(text);
        if declared.is_none() {
            item.report.missing(&item.span, format!("there is no component `{text}`"), self.suggestion(text));
        }
        declared.cloned().flatten()
    }

    fn inline_name(&self, id: Option<&str>) -> Option<Name> {
        let natural = id.and_then(|id| format!("{id}-component").parse().ok());
        let counted = (1..=COMPONENTS_MAX).filter_map(|number| format!("inline-component{number}").parse().ok());
        natural.into_iter().chain(counted).find(|name: &Name| !self.names.contains_key(name.as_str()))
    }

    /// Whether a component of that name was declared.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// What to write instead of a component's name that is not there.
    pub(crate) fn suggestion(&self, name: &str) -> String {
        let names: Vec<&String> = self.names.keys().collect();
        did_you_mean(name, &names, "components")
    }
}
