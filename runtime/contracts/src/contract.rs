//! The contract that a component ships: a folder with `openapi.json`, `events/SUBJECT.json`, `relies-on/PROVIDER.json` for
//! what it relies on itself, and `consumers/NAME.json` for those outside of the app who rely on it.

use std::collections::BTreeMap;
use std::fmt;

use hull_manifest::SubjectPattern;
use serde_json::Value;

use crate::api::Api;
use crate::reliance::Reliance;
use crate::schema::Schema;

/// Files of one contract.
pub const CONTRACT_FILES_MAX: usize = 200;
/// One of them, in bytes.
pub const CONTRACT_FILE_BYTES_MAX: u64 = 512 << 10;
/// Values of which a payload is made. Each takes far more memory than its bytes.
const PAYLOAD_PARTS_MAX: usize = 50_000;

/// What is wrong with a file of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractError {
    /// Its path in the folder.
    pub file: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

/// What a component promises and what it relies on.
#[derive(Debug, Clone, Default)]
pub struct Contract {
    /// Its routes.
    pub api: Option<Api>,
    /// What it publishes and handles.
    pub events: EventSchemas,
    /// What it relies on, by component.
    pub relies_on: BTreeMap<String, Reliance>,
    /// Who outside of the app relies on it.
    pub consumers: BTreeMap<String, Reliance>,
}

/// Schemas of events.
#[derive(Debug, Clone, Default)]
pub struct EventSchemas(Vec<(SubjectPattern, Schema)>);

impl EventSchemas {
    /// Check an event's payload; what is wrong with it. Nothing is said of subjects without a schema.
    pub fn check(&self, subject: &str, payload: &[u8]) -> Result<(), String> {
        let Some((pattern, schema)) = self.of(subject) else { return Ok(()) };
        let refused = |what: String| format!("{subject} does not match its contract (events/{pattern}.json): {what}");
        if payload.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > PAYLOAD_PARTS_MAX {
            return Err(refused("it has more parts than a host checks".to_owned()));
        }
        let value: Value =
            serde_json::from_slice(payload).map_err(|error| refused(format!("it is no JSON: {error}")))?;
        schema.check(&value).map_err(refused)
    }

    /// The schema of a subject: the one that is written for it alone goes before one for many.
    pub(crate) fn of(&self, subject: &str) -> Option<&(SubjectPattern, Schema)> {
        let exact = self.0.iter().find(|(pattern, _)| pattern.as_str() == subject);
        exact.or_else(|| self.0.iter().find(|(pattern, _)| pattern.matches(subject)))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &(SubjectPattern, Schema)> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The subjects that it speaks of.
    pub fn patterns(&self) -> impl Iterator<Item = &SubjectPattern> {
        self.0.iter().map(|(pattern, _)| pattern)
    }
}

impl Contract {
    /// Read a contract from its files: paths in its folder, with `/`, and texts. All that is wrong is told.
    pub fn read<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Self, Vec<ContractError>> {
        let mut contract = Self::default();
        let mut errors = Vec::new();
        for (file, text) in files {
            errors
                .extend(contract.add(file, text).into_iter().map(|what| ContractError { file: file.to_owned(), what }));
        }
        // `orders.created` before `orders.*`, and always in one order.
        contract.events.0.sort_by(|(a, _), (b, _)| (!a.is_literal(), a).cmp(&(!b.is_literal(), b)));
        if errors.is_empty() { Ok(contract) } else { Err(errors) }
    }

    /// One more file; what is wrong with it.
    fn add(&mut self, file: &str, text: &str) -> Vec<String> {
        let Some((folder, name)) = named(file) else {
            return vec![
                "a contract has openapi.json, events/SUBJECT.json, relies-on/COMPONENT.json and consumers/NAME.json"
                    .to_owned(),
            ];
        };
        let document: Value = match serde_json::from_str(text) {
            Ok(document) => document,
            Err(error) => return vec![format!("it is no JSON: {error}")],
        };
        let told = |errors: Vec<crate::SchemaError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        let added = match folder {
            "" => Api::read(&document).map(|api| self.api = Some(api)).map_err(told),
            "events" => match name.parse::<SubjectPattern>() {
                Ok(pattern) => {
                    Schema::read(&document).map(|schema| self.events.0.push((pattern, schema))).map_err(told)
                }
                Err(invalid) => Err(vec![format!("its name is no subject: {invalid}")]),
            },
            folder => {
                let all = if folder == "relies-on" { &mut self.relies_on } else { &mut self.consumers };
                Reliance::read(&document)
                    .map(|reliance| drop(all.insert(name.to_owned(), reliance)))
                    .map_err(|what| vec![what])
            }
        };
        added.err().unwrap_or_default()
    }
}

/// The folder and the name of a file of a contract.
fn named(file: &str) -> Option<(&str, &str)> {
    if file == "openapi.json" {
        return Some(("", "openapi"));
    }
    let (folder, name) = file.split_once('/')?;
    let name = name.strip_suffix(".json")?;
    (["events", "relies-on", "consumers"].contains(&folder) && !name.contains('/')).then_some((folder, name))
}
