//! What the host tells of a limit: the metrics, `GET /v1/components` and `hull status` must say the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hull_tests::shared::Running;
use hull_tests::wait;

use crate::APP;

/// A count may follow the answer that it belongs to.
const COUNT_TIME: Duration = Duration::from_secs(3);

type Counts = BTreeMap<String, u64>;

/// How often each resource of one component has been refused since some moment.
pub(crate) struct Counted {
    running: Arc<Running>,
    component: String,
    before: Counts,
}

impl Counted {
    /// From now on.
    pub(crate) fn of(running: &Arc<Running>, component: &str) -> anyhow::Result<Self> {
        let before = counts(running, component)?;
        Ok(Self { running: Arc::clone(running), component: component.to_owned(), before })
    }

    /// So many of these resources and none of any other were counted; from here on they are counted anew.
    pub(crate) fn rose(&mut self, expected: &[(&str, u64)]) -> anyhow::Result<()> {
        let expected: Counts = expected.iter().map(|(resource, count)| ((*resource).to_owned(), *count)).collect();
        let mut seen = Counts::new();
        let reached = wait::until_within(COUNT_TIME, "the count", || {
            seen = self.since()?;
            let all = expected.iter().all(|(resource, count)| seen.get(resource).is_some_and(|seen| seen >= count));
            Ok(all.then_some(()))
        });
        let Self { running, component, before } = self;
        anyhow::ensure!(reached.is_ok() && seen == expected, "{component}: rejected {seen:?} and not {expected:?}");
        *before = counts(running, component)?;
        Ok(())
    }

    /// What has been counted so far, without what has not.
    pub(crate) fn since(&self) -> anyhow::Result<Counts> {
        let mut now = counts(&self.running, &self.component)?;
        for (resource, count) in &mut now {
            *count -= self.before.get(resource).copied().unwrap_or(0);
        }
        now.retain(|_, count| *count > 0);
        Ok(now)
    }
}

fn counts(running: &Running, component: &str) -> anyhow::Result<Counts> {
    let text = running.host().admin().get("/metrics")?.expect(200)?.text();
    let series = text.lines().filter_map(|line| line.strip_prefix("hull_resource_rejected_total{")?.split_once("} "));
    let of_component = format!("component=\"{component}\"");
    let mine = series.filter(|(labels, _)| labels.split(',').any(|label| label == of_component));
    let read = |(labels, count): (&str, &str)| {
        let resource = labels.split(',').find_map(|label| label.strip_prefix("resource=\"")?.strip_suffix('"'));
        anyhow::Ok((resource.context("a series without a resource")?.to_owned(), count.parse()?))
    };
    mine.map(read).collect()
}

/// Use and bound of one resource, in its base unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shown {
    /// None where there is no such thing as use at one moment.
    pub(crate) used: Option<f64>,
    pub(crate) limit: Option<f64>,
}

/// As `GET /v1/components` shows it.
pub(crate) fn shown(running: &Running, component: &str, resource: &str) -> anyhow::Result<Shown> {
    let told = running.host().asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
    let components = told["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    let one = components.iter().find(|one| one["component"] == component);
    let one = one.with_context(|| format!("no {component} in {told}"))?;
    let resources = one["resources"].as_array().with_context(|| format!("no resources in {one}"))?;
    let found = resources.iter().find(|told| told["resource"] == resource);
    let found = found.with_context(|| format!("{component} has no {resource} among its resources: {resources:?}"))?;
    Ok(Shown { used: found["used"].as_f64(), limit: found["limit"].as_f64() })
}

/// That this is the bound, in all places that tell it; what is used of it is returned.
pub(crate) fn bound(running: &Running, component: &str, resource: &str, limit: f64) -> anyhow::Result<Option<f64>> {
    let shown = shown(running, component, resource)?;
    anyhow::ensure!(shown.limit == Some(limit), "{component}'s {resource} is {shown:?} and not {limit}");
    let labels = format!("{{app=\"{APP}\",component=\"{component}\",resource=\"{resource}\",");
    let metric = running.host().metric(&format!("hull_resource_limit{labels}"))?;
    anyhow::ensure!(metric == Some(limit), "the metric for {component}'s {resource} is {metric:?} and not {limit}");
    let used = running.host().metric(&format!("hull_resource_used{labels}"))?;
    anyhow::ensure!(used.is_some() == shown.used.is_some(), "{component}'s {resource}: metric {used:?}, {shown:?}");
    let [used, limit] = in_status(running, component, resource)?;
    anyhow::ensure!(limit != "-" && (used != "-") == shown.used.is_some(), "hull status: {used} of {limit}, {shown:?}");
    Ok(shown.used)
}

/// Use and bound in the table of `hull status`.
fn in_status(running: &Running, component: &str, resource: &str) -> anyhow::Result<[String; 2]> {
    let ended = running.app().command(&["status"])?;
    anyhow::ensure!(ended.status == Some(0), "{}", ended.said());
    let name = format!("{APP}/{component}");
    // Columns are two spaces apart, an amount and its unit one.
    let rows = ended.stdout.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()));
    let rows = rows.map(Iterator::collect::<Vec<_>>);
    let mut found = rows.filter_map(|cells| match cells.as_slice() {
        [component, told, used, limit, _] if *component == name && *told == resource => Some([*used, *limit]),
        _ => None,
    });
    let mine = || ended.stdout.lines().filter(|line| line.starts_with(&name)).collect::<Vec<_>>().join("\n");
    let row = found.next().with_context(|| format!("no {resource} of {name} in:\n{}", mine()))?;
    Ok(row.map(str::to_owned))
}
