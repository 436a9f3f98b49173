//! Limits can be seen: every default in `hull check` and in the docs, every bound and its use beside each other.

use std::collections::BTreeSet;

use anyhow::Context as _;
use hull_tests::app::{App, Ended};
use hull_tests::{files, probe, wait};
use serde_json::json;

use crate::told::{Counted, bound, shown};
use crate::{APP, Held, limited, limits};

/// How each of them is set for `seen`, by the name that it is told by, and in its base unit.
const BOUNDS: [(&str, f64); 21] = [
    ("concurrency", 5.0),
    ("instances", 6.0),
    ("bulkhead", 7.0),
    ("queue", 8.0),
    ("memory", 33_554_432.0),
    ("cpu-per-invocation", 0.4),
    ("cpu-rate", 0.6),
    ("time", 9.0),
    ("body-in", 2_097_152.0),
    ("storage", 3_145_728.0),
    ("value", 131_072.0),
    ("statement-time", 0.7),
    ("statement-rows", 70.0),
    ("transaction-time", 0.8),
    ("consumers", 3.0),
    ("messages-rate", 40.0),
    ("message-size", 65_536.0),
    ("logs", 8192.0),
    ("outbound-concurrency", 7.0),
    ("outbound-time", 1.5),
    ("outbound-body", 262_144.0),
];

/// What has a use at one moment: the rest bounds one operation.
const LEVELS: [&str; 11] = [
    "concurrency",
    "instances",
    "bulkhead",
    "cpu-rate",
    "queue",
    "memory",
    "storage",
    "consumers",
    "outbound-concurrency",
    "logs",
    "messages-rate",
];

pub(crate) fn manifest() -> String {
    let bulkhead = "[application.tool.hull.bulkheads.watched]\ninstances = 6\nconcurrency = 7\n\
        queue = { length = 8, wait = \"1s\" }\n";
    let lines = "concurrency = 5\nmemory = \"32MiB\"\ncpu-per-invocation = \"400ms\"\ncpu-rate = \"60%\"\ntime = \"9s\"\n\
        body-in-max = \"2MiB\"\nstorage = \"3MiB\"\nvalue-max = \"128KiB\"\n\
        statement = { time = \"700ms\", rows-max = 70 }\ntransaction-time = \"800ms\"\nconsumers = 3\n\
        messages = { rate = \"40/s\", size-max = \"64KiB\" }\nlogs = \"8KiB/s\"\n\
        outbound = { concurrency = 7, time = \"1500ms\", body-max = \"256KiB\" }";
    let stores = "key_value_stores = [\"default\"]";
    bulkhead.to_owned() + &limited("seen", stores, "bulkhead = \"watched\"", lines)
}

#[test]
fn every_bound_is_shown_as_it_was_set() -> anyhow::Result<()> {
    let running = limits()?;
    let mut wrong = Vec::new();
    for (resource, limit) in BOUNDS {
        match shown(&running, "seen", resource) {
            Ok(told) if told.limit == Some(limit) => {}
            told => wrong.push(format!("{resource}: {told:?} and not {limit}")),
        }
        let series =
            format!("hull_resource_rejected_total{{app=\"{APP}\",component=\"seen\",resource=\"{resource}\"}}");
        if running.host().metric(&series)?.is_none() {
            wrong.push(format!("{resource}: no {series}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn what_is_used_stands_beside_its_bound() -> anyhow::Result<()> {
    let running = limits()?;
    let client = running.client();
    let used = |resource: &str| Ok::<_, anyhow::Error>(shown(&running, "seen", resource)?.used);
    let until_gone = || wait::until("the guest's end", || Ok((running.host().inside("seen")? == 0).then_some(())));
    probe::must(&client, "/seen/run", &json!([{"do": "set", "key": "k", "value": "v"}]))?;
    assert!(used("storage")?.is_some_and(|bytes| bytes > 0.0), "{:?}", used("storage")?);
    let unknown: Vec<_> =
        LEVELS.into_iter().filter(|resource| !used(resource).is_ok_and(|used| used.is_some())).collect();
    assert!(unknown.is_empty(), "nobody tells how much is used of {unknown:?}");

    until_gone()?;
    let held = Held::start(&client, "seen")?;
    wait::until("its memory to be in use", || Ok(used("memory")?.filter(|bytes| *bytes > 65_536.0)))?;
    assert_eq!((used("concurrency")?, used("instances")?), (Some(1.0), Some(1.0)));
    for resource in LEVELS {
        let limit = BOUNDS.iter().find(|(name, _)| *name == resource).context("no such bound")?.1;
        bound(&running, "seen", resource, limit)?;
    }
    held.finish()?;
    until_gone()?;
    assert_eq!((used("memory")?, used("concurrency")?, used("instances")?), (Some(0.0), Some(0.0), Some(0.0)));
    Ok(())
}

/// What one component was refused is nobody else's count.
#[test]
fn refusals_are_counted_for_whom_they_met() -> anyhow::Result<()> {
    let running = limits()?;
    let mut counted = Counted::of(&running, "seen")?;
    let large = running.client().request("POST", "/absent/upload").body(vec![b'x'; 3 << 20]).send()?;
    large.expect(404)?;
    counted.rose(&[])
}

/// The limits as docs/limits.md lists them: the key and its default, without quotation marks.
fn documented() -> anyhow::Result<BTreeSet<(String, String)>> {
    let text = std::fs::read_to_string(files::project().join("docs/limits.md"))?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"));
    let rows = rows.filter_map(|(key, rest)| Some((key.to_owned(), rest.split_once('`')?.0.to_owned())));
    Ok(rows.collect())
}

/// The keys and defaults that `hull check` shows in these tables.
fn checked(ended: &Ended, tables: &[&str]) -> BTreeSet<(String, String)> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in ended.stdout.lines() {
        if line.starts_with('[') {
            inside = tables.contains(&line);
        } else if let Some(setting) = line.strip_suffix(" # default").filter(|_| inside) {
            let setting = setting.trim_start_matches("# ");
            let pair = setting.split_once(" = ").or_else(|| Some((setting.split_once(" is ")?.0, "none")));
            found.extend(pair.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())));
        }
    }
    found
}

#[test]
fn the_docs_list_every_default_that_check_shows() -> anyhow::Result<()> {
    let bulkhead = "[application.tool.hull.bulkheads.group]\n";
    let app =
        App::of_text(&(probe::application("small") + bulkhead + &probe::component("one", "", "bulkhead = \"group\"")))?;
    let ended = app.check()?;
    assert_eq!(ended.status, Some(0), "{}", ended.said());
    let limits = checked(&ended, &["[component.one.tool.hull.limits]"]);
    let group = checked(&ended, &["[application.tool.hull.bulkheads.group]"]);
    assert!(limits.len() >= 18 && group.len() == 5, "{limits:?} {group:?}");
    let documented = documented()?;
    let missing: Vec<_> = limits.union(&group).filter(|setting| !documented.contains(*setting)).collect();
    assert!(missing.is_empty(), "docs/limits.md does not have {missing:?}; it has {documented:#?}");
    Ok(())
}

/// The names of tests in the docs are paths: what stands behind the last colon is a function below `tests/`.
#[test]
fn every_test_that_the_docs_name_is_there() -> anyhow::Result<()> {
    let text = std::fs::read_to_string(files::project().join("docs/limits.md"))?;
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.trim_end_matches(" |").rsplit("| ").next());
    let quoted = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let named: BTreeSet<_> =
        quoted.filter(|name| !name.contains('/')).filter_map(|name| name.rsplit("::").next()).collect();
    let mut written = String::new();
    for suite in ["limits", "guests_at_work", "events"] {
        for entry in std::fs::read_dir(files::project().join("tests").join(suite))? {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == "rs") {
                written += &std::fs::read_to_string(path)?;
            }
        }
    }
    assert!(named.len() >= 35, "{named:?}");
    let missing: Vec<_> = named.into_iter().filter(|name| !written.contains(&format!("fn {name}()"))).collect();
    assert!(missing.is_empty(), "{missing:?} are in docs/limits.md and nowhere else");
    Ok(())
}

/// Without a bulkhead in the manifest a component has one of its own, and that has bounds as well.
#[test]
fn check_shows_the_bulkhead_that_nobody_declared() -> anyhow::Result<()> {
    let app = App::of_text(&(probe::application("small") + &limited("one", "", "", "concurrency = 9")))?;
    let ended = app.check()?;
    for part in ["instances = 9", "concurrency = 9", "queue.length = 256", "queue.wait = \"250ms\"", "cpu-weight = 100"]
    {
        assert!(ended.stdout.contains(part), "no {part}:\n{}", ended.stdout);
    }
    Ok(())
}
