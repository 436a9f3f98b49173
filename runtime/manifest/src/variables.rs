//! `[variables]`: what an operator can set from outside, and the values that were given.

use std::collections::BTreeMap;

use crate::effective::{Entry, Shown};
use crate::name::VariableName;
use crate::read::{Item, Setting, Table, did_you_mean};
use crate::template::Template;

/// An application variable.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// For people.
    pub description: String,
    /// The value if none is given from outside; none means that one must be given.
    pub default: Option<String>,
    /// Whether the value is kept out of logs and answers.
    pub secret: bool,
    /// The value that counts; none as long as a required one is not given, which only a check leaves open.
    pub value: Option<String>,
}

/// Values stay out of debug output, since they may be secret.
impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (required, has_value) = (self.default.is_none(), self.value.is_some());
        write!(f, "Variable {{ required: {required}, secret: {}, has_value: {has_value} }}", self.secret)
    }
}

impl Setting for Variable {
    const WANTED: &'static str = "{ default = \"a value\" } or { required = true }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let default = table.optional::<String>("default");
        let required = table.optional_at::<bool>("required");
        match (table.get("default"), &required) {
            (Some(_), Some(required)) if required.value => {
                let message = format!("`{}` is required and has a default", table.path);
                table.report.wrong(&required.span, message, "keep one of `required` and `default`");
            }
            (None, None) => {
                let message = format!("`{}` is neither required nor has it a default", table.path);
                table.report.missing(&table.span, message, format!("write {}", Self::WANTED));
            }
            (None, Some(required)) if !required.value => {
                let message = format!("`{}` is neither required nor has it a default", table.path);
                table.report.wrong(&required.span, message, format!("write {}", Self::WANTED));
            }
            _ => {}
        }
        let description = table.or("description", String::new());
        let secret = table.or("secret", false);
        table.finish();
        Some(Self { description, value: default.clone(), default, secret })
    }

    fn show(&self) -> Shown {
        let mut entries = vec![
            Entry::defaulted("description", &self.description, &String::new()),
            Entry::defaulted("secret", &self.secret, &false),
        ];
        entries.push(match &self.default {
            Some(default) => Entry::new("default", default.show()),
            None => Entry::new("required", Shown::Flag(true)),
        });
        Shown::Table(entries)
    }
}

/// The values of variables, by name, that the caller has found outside of the manifest.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// These; a required variable that is not among them is a problem.
    Given(&'a BTreeMap<String, String>),
    /// Nobody knows them yet: the manifest is checked without.
    Unknown,
}

pub(crate) type Variables = BTreeMap<VariableName, Variable>;

/// Read `[variables]` and give each its value.
pub(crate) fn read_variables(root: &Table<'_>, values: Values<'_>) -> Variables {
    let mut variables = Variables::new();
    let Some(table) = root.table("variables") else { return variables };
    for (key, item) in table.entries() {
        let name = match key.value.parse::<VariableName>() {
            Ok(name) => name,
            Err(invalid) => {
                root.report.invalid(&key.span, &item.path, invalid);
                continue;
            }
        };
        let Some(mut variable) = Variable::read(&item) else { continue };
        if let Values::Given(values) = values {
            if let Some(value) = values.get(name.as_str()) {
                variable.value = Some(value.clone());
            } else if variable.value.is_none() {
                let message = format!("variable `{name}` is required and has no value");
                let remedy = format!("set SPIN_VARIABLE_{}, or give it a default", name.as_str().to_uppercase());
                root.report.missing(&key.span, message, remedy);
            }
        }
        variables.insert(name, variable);
    }
    variables
}

/// Report the variables in a template that are not declared.
pub(crate) fn check_template(item: &Item<'_>, template: &Template, variables: &Variables) -> bool {
    let known: Vec<&str> = variables.keys().map(VariableName::as_str).collect();
    let mut good = true;
    for name in template.variables().filter(|name| !variables.contains_key(*name)) {
        let message = format!("`{}`: there is no variable `{name}`", item.path);
        let remedy = format!("declare it in [variables]; {}", did_you_mean(name.as_str(), &known, "variables"));
        item.report.missing(&item.span, message, remedy);
        good = false;
    }
    good
}
