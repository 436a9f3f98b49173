//! `[application.tool.hull.routes]`: reads the policies of each route.

use super::draft::PolicyDraft;
use crate::policies::{RoutePolicy, check_policy};
use crate::read::{Setting, Table};
use crate::route::Route;

/// Read all policies.
pub(super) fn read_policies(tool: &Table<'_>) -> Vec<PolicyDraft> {
    let mut policies = Vec::new();
    for (key, item) in tool.table("routes").iter().flat_map(Table::entries) {
        let route = key.value.parse::<Route>();
        let route = route.map_err(|invalid| tool.report.invalid(&key.span, "application.tool.hull.routes", invalid));
        let Some(policy) = RoutePolicy::read(&item) else { continue };
        check_policy(&item, &policy);
        if let Ok(route) = route {
            policies.push(PolicyDraft { route, route_at: key.span, policy });
        }
    }
    policies
}
