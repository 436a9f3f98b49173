//! What differs between two revisions: components by their digests, files, values of variables, and the manifest line
//! by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hull_control::Record;
use serde::Serialize;

use super::lines::{Line, changed_lines};
use crate::terminal::harmless;

/// How much of a digest is shown to people.
const DIGEST_CHARS: usize = 12;

/// What differs. Where there is no `from` it is new, where there is no `to` it is gone.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    from: u64,
    to: u64,
    components: Vec<Changed>,
    files: Vec<Changed>,
    variables: Vec<Changed>,
    manifest: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Changed {
    name: String,
    from: Option<String>,
    to: Option<String>,
}

impl Difference {
    /// Between an older and a newer revision, each with its manifest.
    pub(super) fn between(older: (&Record, &str), newer: (&Record, &str)) -> Self {
        let ((old, old_text), (new, new_text)) = (older, newer);
        let components = |record: &Record| -> BTreeMap<String, String> {
            let all = record.components.iter();
            all.map(|(name, component)| (name.clone(), component.sha256.to_string())).collect()
        };
        let files = |record: &Record| -> BTreeMap<String, String> {
            record.files.iter().map(|file| (file.path.clone(), file.sha256.to_string())).collect()
        };
        Self {
            from: old.revision,
            to: new.revision,
            components: changed(&components(old), &components(new)),
            files: changed(&files(old), &files(new)),
            variables: changed(&old.variables, &new.variables),
            manifest: changed_lines(old_text, new_text),
        }
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        let mut text = format!("revision {} -> {}\n", self.from, self.to);
        for (what, all, is_digest) in
            [("component", &self.components, true), ("file", &self.files, true), ("variable", &self.variables, false)]
        {
            for Changed { name, from, to } in all {
                let short = |value: &Option<String>| match value {
                    None => "none".to_owned(),
                    Some(digest) if is_digest => digest.chars().take(DIGEST_CHARS).collect(),
                    Some(value) => format!("{value:?}"),
                };
                // Writing to a string does not fail.
                let _ = writeln!(text, "{what} {}: {} -> {}", harmless(name), short(from), short(to));
            }
        }
        for line in &self.manifest {
            let _ = writeln!(text, "{}{}", line.sign(), harmless(line.text()));
        }
        if text.lines().count() == 1 {
            text.push_str("nothing differs\n");
        }
        text
    }
}

fn changed(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Changed> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let one = |name: &&String| old.get(*name) != new.get(*name);
    let changed = names.into_iter().filter(one);
    changed
        .map(|name| Changed { name: name.clone(), from: old.get(name).cloned(), to: new.get(name).cloned() })
        .collect()
}
