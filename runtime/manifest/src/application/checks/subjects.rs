//! An event reaches a component through one of its patterns, and a component that handles events has a sandbox
//! for each.

use super::super::draft::Draft;
use crate::component::Reuse;
use crate::read::Report;

/// Patterns of one component do not overlap, in one trigger or in several; concurrent instances handle no events.
pub(super) fn check_subjects(draft: &Draft<'_>, report: &Report) {
    for component in &draft.components.drafts {
        let name = &component.component.name;
        let own = draft.triggers.messaging.iter().filter(|draft| draft.trigger.component == *name);
        let patterns: Vec<_> = own.flat_map(|draft| draft.trigger.subjects.iter().zip(&draft.matches_at)).collect();
        for (index, (pattern, at)) in patterns.iter().enumerate() {
            let before = patterns.iter().take(index).find(|(other, _)| pattern.overlaps(other));
            if let Some((other, _)) = before {
                let message = format!("`{name}` would get some events twice: \"{pattern}\" overlaps with \"{other}\"");
                report.wrong(at, message, "write patterns that have no subject in common");
            }
        }
        if !patterns.is_empty() && component.component.hull.reuse == Reuse::Concurrent {
            let message = format!("`{name}` handles events, which a shared instance cannot do");
            let remedy = "set reuse = \"serial\" or \"never\", or remove its [[trigger.messaging]]";
            report.wrong(&component.reuse_at, message, remedy);
        }
    }
}
