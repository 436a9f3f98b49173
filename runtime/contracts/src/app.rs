//! Whether the components of an app keep what they promise each other, and what those promises were to the events and the
//! consumers of the revision that runs.

use std::collections::BTreeSet;

use hull_manifest::SubjectPattern;

use crate::contract::Contract;
use crate::finding::{Change, Finding, Rule};
use crate::reliance::broken;
use crate::schema::{Direction, Schema, Steps};

/// A component, as far as contracts go.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it ships; none says nothing.
    pub contract: Option<&'a Contract>,
    /// What it may publish.
    pub publishes: &'a [SubjectPattern],
    /// What it handles.
    pub handles: &'a [&'a SubjectPattern],
}

impl<'a> Party<'a> {
    /// The schemas of what it publishes.
    fn published(&self) -> impl Iterator<Item = (&'a SubjectPattern, &'a Schema)> {
        let patterns = self.publishes;
        self.schemas().filter(move |(pattern, _)| patterns.iter().any(|one| one.overlaps(pattern)))
    }

    /// The schemas of what it handles.
    fn handled(&self) -> impl Iterator<Item = (&'a SubjectPattern, &'a Schema)> {
        let patterns = self.handles;
        self.schemas().filter(move |(pattern, _)| patterns.iter().any(|one| one.overlaps(pattern)))
    }

    fn schemas(&self) -> impl Iterator<Item = (&'a SubjectPattern, &'a Schema)> + use<'a> {
        self.contract.into_iter().flat_map(|contract| contract.events.all()).map(|(pattern, schema)| (pattern, schema))
    }
}

/// Whom a revision would break: `app` is what is to serve, `running` what serves.
pub fn check_app(app: &[Party<'_>], running: &[Party<'_>]) -> Vec<Finding> {
    let (mut findings, steps) = (BTreeSet::new(), Steps::new());
    for consumer in app {
        for (provider, reliance) in consumer.contract.iter().flat_map(|contract| &contract.relies_on) {
            findings.extend(relied(consumer.name, provider, broken_by(app, running, provider, reliance, &steps)));
        }
        findings.extend(events(consumer, app, running, &steps));
    }
    for provider in app {
        let api = provider.contract.and_then(|contract| contract.api.as_ref());
        for (consumer, reliance) in provider.contract.iter().flat_map(|contract| &contract.consumers) {
            let changes = api.map(|api| broken(reliance, api, &steps)).unwrap_or_default();
            findings.extend(relied(consumer, provider.name, changes));
        }
    }
    findings.into_iter().collect()
}

fn relied(consumer: &str, provider: &str, changes: Vec<Change>) -> Vec<Finding> {
    let finding = |change| Finding { consumer: consumer.to_owned(), provider: provider.to_owned(), change };
    changes.into_iter().map(finding).collect()
}

fn broken_by(
    app: &[Party<'_>],
    running: &[Party<'_>],
    provider: &str,
    reliance: &crate::Reliance,
    steps: &Steps,
) -> Vec<Change> {
    let Some(found) = app.iter().find(|party| party.name == provider) else {
        return vec![Change::new("component", Rule::ProviderRemoved, format!("the app has no component {provider}"))];
    };
    if let Some(api) = found.contract.and_then(|contract| contract.api.as_ref()) {
        return broken(reliance, api, steps);
    }
    let had_one = running.iter().any(|party| party.name == provider && party.contract.is_some_and(|c| c.api.is_some()));
    if had_one {
        vec![Change::new("openapi.json", Rule::ContractRemoved, "the version that runs has one")]
    } else {
        Vec::new()
    }
}

/// What a handler is to get: from the publishers of its own revision, and from those that run, whose events may still wait
/// on the bus.
fn events(handler: &Party<'_>, app: &[Party<'_>], running: &[Party<'_>], steps: &Steps) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (pattern, schema) in handler.handled() {
        let runs_here = running.iter().any(|party| party.name == handler.name);
        let publishers = |parties: &'_ [Party<'_>]| -> Vec<(String, Vec<Change>)> {
            let of = |party: &Party<'_>| {
                let sent = party.published().filter(|(published, _)| published.overlaps(pattern));
                let changes = |(_, sent): (_, &Schema)| schema.missing_within(sent, Direction::Event, steps);
                let changes: Vec<Vec<Change>> = sent.map(changes).collect();
                (!changes.is_empty()).then(|| (party.name.to_owned(), changes.into_iter().flatten().collect()))
            };
            parties.iter().filter(|party| party.name != handler.name).filter_map(of).collect()
        };
        let (now, before) = (publishers(app), publishers(running));
        for (publisher, _) in before.iter().filter(|(publisher, _)| !now.iter().any(|(name, _)| name == publisher)) {
            let detail = "it says no more what the event is like, or does not publish it";
            findings.push(finding(handler.name, publisher, Change::new(pattern.as_str(), Rule::EventRemoved, detail)));
        }
        let waiting = if runs_here { before } else { Vec::new() };
        let waiting = waiting.into_iter().flat_map(|(publisher, changes)| {
            let told = |change: Change| {
                let detail = format!("{} (in events that the revision that runs has published)", change.detail);
                Change { detail, ..change }
            };
            changes.into_iter().map(move |change| (publisher.clone(), told(change)))
        });
        let fresh: Vec<(String, Change)> = now
            .into_iter()
            .flat_map(|(name, changes)| changes.into_iter().map(move |change| (name.clone(), change)))
            .collect();
        let is_said = |(name, change): &(String, Change)| {
            fresh.iter().any(|(other, said)| other == name && said.field == change.field && said.rule == change.rule)
        };
        let waiting: Vec<_> = waiting.filter(|one| !is_said(one)).collect();
        for (publisher, change) in fresh.into_iter().chain(waiting) {
            let field = format!("{pattern} {}", change.field);
            findings.push(finding(handler.name, &publisher, Change { field: field.trim_end().to_owned(), ..change }));
        }
    }
    findings
}

fn finding(consumer: &str, provider: &str, change: Change) -> Finding {
    Finding { consumer: consumer.to_owned(), provider: provider.to_owned(), change }
}
