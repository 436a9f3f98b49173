//! `hull events tail`: what is there and what comes, without taking anything from anybody.

use std::collections::BTreeSet;

use hull_tests::events;
use hull_tests::mail::{self, APP, seen_and_ok, until_seen};
use serde_json::{Value, json};

fn ids(told: &str) -> anyhow::Result<Vec<String>> {
    let line = |line| Ok(serde_json::from_str::<Value>(line)?["id"].as_str().unwrap_or_default().to_owned());
    told.lines().map(line).collect()
}

#[test]
fn what_is_there_is_shown_and_what_comes() -> anyhow::Result<()> {
    let sender = mail::handler("sender", "subjects = [\"none\"]", "publishes = [\"work.*\"]");
    let worker = mail::handler("worker", "subjects = [\"work.*\"]", "");
    let app = crate::placed(mail::app(&[sender, worker])?)?;
    let host = app.up()?;
    let names: Vec<String> = (0..250).map(|n| format!("n{n}")).collect();
    for name in &names {
        events::publish_as(&host, APP, "work.tailed", name, &seen_and_ok())?;
    }
    events::publish_as(&host, APP, "work.other", "other", &seen_and_ok())?;

    // Several pages, and the end.
    let all = app.command(&["events", "tail", "work.tailed", "--from", "all", "--no-follow", "--json"])?;
    anyhow::ensure!(all.status == Some(0), "{}", all.said());
    assert_eq!(ids(&all.stdout)?, names);
    let shown = app.command(&["events", "tail", "work.*", "--from", "250", "--no-follow"])?;
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", shown.said());
    assert!(lines[2].contains("work.other") && lines[2].contains("other") && lines[3].contains("script"));
    let nothing = app.command(&["events", "tail", "nothing.here", "--from", "all", "--no-follow"])?;
    assert_eq!((nothing.status, nothing.stdout.as_str()), (Some(0), ""));

    // What comes: the first of them that the follower can have seen is published after it has begun.
    let followed = std::thread::scope(|scope| {
        let following =
            scope.spawn(|| app.command(&["events", "tail", "work.later", "--from", "new", "-n", "3", "--json"]));
        let mut n = 0;
        while !following.is_finished() {
            events::publish_as(&host, APP, "work.later", &format!("later-{n}"), &seen_and_ok())?;
            n += 1;
        }
        following.join().map_err(|_| anyhow::anyhow!("it panicked"))?
    })?;
    anyhow::ensure!(followed.status == Some(0), "{}", followed.said());
    let came = ids(&followed.stdout)?;
    let numbers: Vec<u64> = came.iter().filter_map(|id| id.strip_prefix("later-")?.parse().ok()).collect();
    assert!(numbers.len() == 3 && numbers.windows(2).all(|two| two[1] == two[0] + 1), "{came:?}");

    // Nothing was taken from whoever handles them.
    let handled = until_seen(&host.client(), "worker", "work.tailed", names.len())?;
    let handled: BTreeSet<String> = handled.into_iter().map(|seen| seen.id).collect();
    assert_eq!(handled, names.into_iter().collect());
    host.stop()?;
    Ok(())
}

#[test]
fn only_who_has_the_token_may_look() -> anyhow::Result<()> {
    let mail = crate::mail()?;
    let target = format!("/v1/apps/{APP}/events?subject=work.*&from=all");
    mail.host().admin().get(&target)?.expect(401)?;
    let page = mail.host().asked("GET", &format!("{target}&limit=1"))?.send()?.expect(200)?.json()?;
    assert!(page["events"].is_array() && page["next"].is_u64() && page["is_last"].is_boolean(), "{page}");
    for wrong in ["subject=a..b", "from=then", "limit=many", "follow=maybe"] {
        mail.host().asked("GET", &format!("/v1/apps/{APP}/events?{wrong}"))?.send()?.expect(400)?;
    }
    mail.host().asked("GET", "/v1/apps/another/events")?.send()?.expect(404)?;
    let wrong = mail.app().command(&["events", "tail", "a..b"])?;
    assert_eq!(wrong.status, Some(2), "{}", wrong.said());
    let described = mail.host().asked("GET", "/v1/openapi.json")?.send()?.expect(200)?.json()?;
    assert_ne!(described["paths"]["/v1/apps/{app}/events"]["get"], json!(null));
    Ok(())
}
