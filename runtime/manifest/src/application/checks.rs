//! Whether the parts of an app fit together: every name refers to something, and nothing is said twice.

mod components;
mod routes;
mod subjects;
mod upstreams;

use super::draft::Draft;
use crate::read::Report;

/// Report everything that does not fit together.
pub(super) fn check_app(draft: &Draft<'_>, report: &Report) {
    if draft.triggers.written == 0 && draft.details.upstreams.is_empty() {
        let remedy = "add [[trigger.http]] with a route and a component, or [[trigger.messaging]]";
        report.missing(&(0..0), "the app has no trigger: nothing would ever run", remedy);
    }
    routes::check_routes(draft, report);
    routes::check_policies(draft, report);
    upstreams::check_upstreams(draft, report);
    components::check_bulkheads(draft, report);
    components::check_calls(draft, report);
    components::check_host(draft, report);
    subjects::check_subjects(draft, report);
}
