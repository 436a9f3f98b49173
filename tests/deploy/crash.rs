//! A host that crashes at every step of a deployment: afterwards the old or the new revision serves, whole.

use hull_tests::app::App;
use hull_tests::host::Host;

use crate::parts::{app, manifest, marks, other_build};

/// Fewer steps would mean that they are not passed at all.
const STEPS_MIN: u64 = 12;
/// More are not there.
const STEPS_MAX: u64 = 60;

/// Whether the host crashed, and which step it named.
pub(crate) fn crashed(host: &mut Host) -> anyhow::Result<Option<String>> {
    host.ended(std::time::Duration::from_secs(20))?;
    let said = host.said();
    Ok(said.lines().find_map(|line| line.split_once("crashing on purpose: ").map(|(_, step)| step.to_owned())))
}

/// Which revision serves, after checking that all of it does.
fn serving(app: &App, host: &Host, before: (u64, &str), after: (u64, &str)) -> anyhow::Result<u64> {
    let (front, back) = marks(&host.client())?;
    anyhow::ensure!(front == back, "a mixture: {front} and {back}");
    let history = app.command(&["history", "--json"])?.json()?;
    let last = history["revisions"][0]["revision"].as_u64().unwrap_or_default();
    let expected = if last == after.0 { after } else { before };
    anyhow::ensure!((last, front.as_str()) == expected, "revision {last} with mark {front}");
    Ok(last)
}

#[test]
fn at_each_step_the_old_or_the_new_revision_is_left_whole() -> anyhow::Result<()> {
    let app = app("old")?;
    let build = other_build(&app, "new")?;
    let text = |mark: &str| manifest("pair", mark, "migrations = \"m\"").replacen("{probe}", &build, 1);
    app.write("m/1_first.sql", "CREATE TABLE one (id INTEGER);")?;
    app.set_text(&text("m0"))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    host.stop()?;
    let mut steps = Vec::new();
    let mut revision = 1;
    for step in 1..=STEPS_MAX {
        let (old, new) = (format!("m{}", revision - 1), format!("m{revision}"));
        app.set_text(&text(&new))?;
        let number = step.to_string();
        let mut host = app.host_with(&["--crash-at", &number])?;
        let deployed = app.deploy(&[])?;
        if deployed.status == Some(0) {
            anyhow::ensure!(step > STEPS_MIN, "only {step} steps: {steps:?}");
            host.stop()?;
            println!("{steps:?}");
            return Ok(());
        }
        steps.push(crashed(&mut host)?.unwrap_or_else(|| panic!("it did not crash: {}", deployed.said())));
        drop(host);
        let host = app.host()?;
        let last = serving(&app, &host, (revision, &old), (revision + 1, &new))?;
        anyhow::ensure!(host.ready()["apps"][0]["revision"] == last, "{}", host.ready());
        let is_committed = steps.iter().any(|step| step == "committed");
        anyhow::ensure!((last > revision) == is_committed, "{steps:?} left revision {last}");
        // And it goes on: the same deployment succeeds now, or has.
        if last == revision {
            app.deploy(&[])?.good()?;
        }
        revision += 1;
        serving(&app, &host, (revision, &new), (revision, &new))?;
        host.stop()?;
    }
    anyhow::bail!("more than {STEPS_MAX} steps: {steps:?}")
}
