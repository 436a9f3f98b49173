//! What a parallel run has found: counts, and one example of each kind of difference.

use std::collections::BTreeMap;

use serde::Serialize;

use super::compare::Difference;

/// Kinds of differences that are told apart; more are counted.
const MISMATCHES_MAX: usize = 100;
/// Reasons that are told apart; more are counted with the last one.
const REASONS_MAX: usize = 50;
const OTHER: &str = "other reasons";

/// What was asked.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Place {
    pub(super) method: String,
    pub(super) route: String,
    /// Of the example.
    pub(super) target: String,
    /// Of the example.
    pub(super) request_id: String,
}

/// A field that differs on a route.
#[derive(Debug, Clone, Serialize)]
struct Mismatch {
    #[serde(flatten)]
    place: Place,
    field: String,
    old: String,
    new: String,
    count: u64,
}

/// See the module.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Report {
    /// Both answered alike.
    same: u64,
    /// They did not.
    different: u64,
    /// The new version failed to answer what the old one had answered.
    failed: u64,
    /// There was no room, or somebody waited.
    pub(super) dropped: u64,
    /// By reason.
    not_compared: BTreeMap<String, u64>,
    mismatches: Vec<Mismatch>,
    /// Of kinds for which there was no room.
    mismatches_left_out: u64,
}

impl Report {
    pub(super) fn compared(&mut self, place: &Place, differences: Vec<Difference>) {
        if differences.is_empty() {
            self.same += 1;
            return;
        }
        self.different += 1;
        for difference in differences {
            self.mismatch(place.clone(), difference);
        }
    }

    pub(super) fn failed(&mut self, place: Place, why: &str) {
        self.failed += 1;
        let (old, new) = ("an answer".to_owned(), why.to_owned());
        self.mismatch(place, Difference { field: "failure".to_owned(), old, new });
    }

    pub(super) fn not_compared(&mut self, reason: &str) {
        let is_new = !self.not_compared.contains_key(reason) && self.not_compared.len() >= REASONS_MAX;
        let reason = if is_new { OTHER } else { reason };
        *self.not_compared.entry(reason.to_owned()).or_default() += 1;
    }

    fn mismatch(&mut self, place: Place, difference: Difference) {
        let Difference { field, old, new } = difference;
        let is_alike = |one: &&mut Mismatch| {
            one.field == field && one.place.route == place.route && one.place.method == place.method
        };
        if let Some(known) = self.mismatches.iter_mut().find(is_alike) {
            known.count += 1;
        } else if self.mismatches.len() < MISMATCHES_MAX {
            self.mismatches.push(Mismatch { place, field, old, new, count: 1 });
        } else {
            self.mismatches_left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::Difference;
    use super::{MISMATCHES_MAX, Place, REASONS_MAX, Report};

    #[test]
    fn a_report_does_not_grow_with_what_it_reports() {
        let mut report = Report::default();
        for number in 0..1000 {
            let place = Place { route: format!("/{number}"), ..Place::default() };
            let difference = || Difference { field: "status".to_owned(), old: String::new(), new: String::new() };
            report.compared(&place, vec![difference()]);
            report.compared(&place, vec![difference()]);
            report.compared(&place, Vec::new());
            report.not_compared(&number.to_string());
        }
        assert_eq!((report.same, report.different), (1000, 2000));
        assert_eq!(report.mismatches.len(), MISMATCHES_MAX);
        assert_eq!(report.mismatches[0].count, 2);
        assert_eq!(report.mismatches_left_out, 2 * (1000 - MISMATCHES_MAX as u64));
        assert!(report.not_compared.len() <= REASONS_MAX + 1);
        assert_eq!(report.not_compared.values().sum::<u64>(), 1000);
    }
}
