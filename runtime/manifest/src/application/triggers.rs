//! `[[trigger.…]]`: the two kinds that Hull has, and the names of those that it does not have.

use super::Components;
use super::draft::Triggers;
use crate::read::{Item, Table, did_you_mean};
use crate::trigger::{read_http_trigger, read_messaging_trigger};

const KINDS: [&str; 2] = ["http", "messaging"];

/// Kinds that Spin or its plugins have.
const KINDS_ELSEWHERE: [&str; 8] = ["redis", "mqtt", "cron", "timer", "sqs", "kinesis", "command", "kafka"];

/// The most triggers of one kind.
const TRIGGERS_MAX: usize = 4096;

/// Read all triggers, and the components that are written in them.
pub(super) fn read_triggers(root: &Table<'_>, components: &mut Components<'_>) -> Triggers {
    let mut triggers = Triggers::default();
    let Some(table) = root.table("trigger") else { return triggers };
    for item in elements(&table, "http") {
        triggers.http.extend(read_http_trigger(&item, components));
        triggers.written += 1;
    }
    for item in elements(&table, "messaging") {
        triggers.messaging.extend(read_messaging_trigger(&item, components));
        triggers.written += 1;
    }
    for (key, _) in table.entries().iter().filter(|(key, _)| !KINDS.contains(&key.value)) {
        triggers.written += 1;
        let path = table.path_of(key.value);
        if KINDS_ELSEWHERE.contains(&key.value) {
            let remedy = "use [[trigger.http]], or [[trigger.messaging]] for events";
            table.report.wrong(&key.span, format!("`{path}`: Hull does not have this trigger"), remedy);
        } else {
            let remedy = did_you_mean(key.value, &KINDS, "triggers");
            table.report.wrong(&key.span, format!("`{path}`: there is no such trigger"), remedy);
        }
    }
    triggers
}

fn elements<'a>(table: &Table<'a>, key: &'static str) -> Vec<Item<'a>> {
    let Some(item) = table.get(key) else { return Vec::new() };
    let elements: Vec<_> = item.elements("a list of triggers: [[trigger.…]]").into_iter().flatten().collect();
    if elements.len() > TRIGGERS_MAX {
        item.wrong(format!("there are {} of them", elements.len()), format!("an app may have {TRIGGERS_MAX}"));
        return Vec::new();
    }
    elements
}
