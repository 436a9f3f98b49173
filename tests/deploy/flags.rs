//! Variables that change while the app runs: for some of those who ask, the same ones each time, and through restarts.

use std::collections::{BTreeMap, BTreeSet};

use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::crash::crashed;

/// Two components made of the app's variables; `front` calls `back`. `many` serves many at once.
fn app() -> anyhow::Result<App> {
    let own =
        "variables = { name = \"{{ colour }}\", colour = \"{{ colour }}\", greeting = \"a {{ colour }} {{ shape }}\" }";
    let front = format!("{own}\nallowed_outbound_hosts = [\"http://back.internal\"]\nkey_value_stores = [\"default\"]");
    App::of_text(
        &(probe::application("flagged")
            + "[variables]\ncolour = { default = \"grey\" }\nshape = { default = \"box\" }\n\
               key = { default = \"hidden\", secret = true }\n"
            + &probe::component("front", &front, "publishes = [\"work.*\"]")
            + &probe::component("back", own, "")
            + &probe::component("many", own, "reuse = \"concurrent\"").replace("{probe}", "{probe_p3}")
            + "[[trigger.messaging]]\ncomponent = \"front\"\nsubjects = [\"work.*\"]\n"),
    )
}

fn flags(app: &App, words: &[&str]) -> anyhow::Result<String> {
    Ok(app.command(&[&["flags"], words].concat())?.good()?.stdout)
}

/// What somebody sees: of `front`, of what it is made of, and of `back` when `front` calls it.
fn sees(host: &Host, headers: &[(&str, &str)]) -> anyhow::Result<[String; 3]> {
    let colour = json!({ "do": "config", "key": "colour" });
    let call = json!({ "do": "call", "url": "http://back.internal/run", "script": [colour] });
    let script = json!([colour, { "do": "config", "key": "greeting" }, call]);
    let mut request = host.client().request("POST", "/front/run").json(&script);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let told = request.send()?.expect(200)?.json()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let results = &told["results"];
    Ok([text(&results[0]), text(&results[1]), text(&results[2]["body"]["results"][0])])
}

fn all(colour: &str) -> [String; 3] {
    [colour.to_owned(), format!("a {colour} box"), colour.to_owned()]
}

#[test]
fn rules_hold_at_once_for_the_whole_chain_and_without_a_deployment() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let (ann, bob, tester) = (&[("x-user", "ann")][..], &[("x-user", "bob")][..], &[("x-beta", "yes")][..]);
    assert_eq!(sees(&host, ann)?, all("grey"));
    flags(&app, &["set", "colour", "red", "--user", "ann", "--sticky", "header:x-user"])?;
    flags(&app, &["set", "colour", "green", "--header", "X-Beta=yes"])?;
    for (headers, colour) in [(ann, "red"), (bob, "grey"), (tester, "green")] {
        assert_eq!(sees(&host, headers)?, all(colour), "{headers:?}");
    }
    let told = flags(&app, &["set", "colour", "blue"])?;
    for part in
        ["colour (manifest: \"grey\"; users by header:x-user)", "\"red\" for user \"ann\", set by admin-token at 20"]
    {
        assert!(told.contains(part), "{part:?} in {told}");
    }
    assert_eq!((sees(&host, ann)?, sees(&host, bob)?), (all("red"), all("blue")));
    // Nobody knows for whom an instance asks that serves many at once: it sees what everybody does.
    let many = || host.client().get("/many/config?key=colour")?.expect(200)?.json();
    assert_eq!(many()?, "blue");
    flags(&app, &["unset", "colour", "--user", "ann"])?;
    assert_eq!(sees(&host, ann)?, all("blue"));
    flags(&app, &["unset", "colour"])?;
    assert_eq!((sees(&host, tester)?, many()?), (all("grey"), json!("grey")));
    assert_eq!(flags(&app, &["list"])?.trim(), "no flag is set");
    let revisions = app.command(&["history", "--json"])?.json()?;
    assert_eq!(revisions["revisions"].as_array().map(Vec::len), Some(1));
    let audit = app.command(&["audit", "-n", "50"])?.good()?.stdout;
    for part in [
        "flags set flagged: done  colour = \"red\" for the user \"ann\"",
        "flags set flagged: done  colour = \"green\" for whoever sends x-beta: yes",
        "flags unset flagged: done  colour: all rules",
    ] {
        assert!(audit.contains(part), "{part:?} in {audit}");
    }
    Ok(())
}

/// The colour of each of many users.
fn split(host: &Host) -> anyhow::Result<BTreeMap<usize, String>> {
    (0..150).map(|user| Ok((user, sees(host, &[("x-user", &format!("user-{user}"))])?[0].clone()))).collect()
}

fn of(split: &BTreeMap<usize, String>, colour: &str) -> BTreeSet<usize> {
    split.iter().filter(|(_, seen)| *seen == colour).map(|(user, _)| *user).collect()
}

#[test]
fn shares_are_sticky_through_growth_deployments_and_crashes() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    flags(&app, &["set", "colour", "blue", "--percent", "20%", "--sticky", "header:x-user"])?;
    let first = of(&split(&host)?, "blue");
    assert!((10..60).contains(&first.len()), "20% of 150 users are {}", first.len());
    assert_eq!(of(&split(&host)?, "blue"), first);
    app.deploy(&["--message", "another revision"])?.good()?;
    assert_eq!(of(&split(&host)?, "blue"), first, "a deployment changes nobody's");
    host.kill()?;
    let host = app.host()?;
    assert_eq!(of(&split(&host)?, "blue"), first, "a crash neither");
    flags(&app, &["set", "colour", "blue", "--percent", "50%"])?;
    flags(&app, &["set", "colour", "red", "--percent", "25%"])?;
    let seen = split(&host)?;
    assert!(first.is_subset(&of(&seen, "blue")), "whoever had it keeps it");
    assert!(!of(&seen, "red").is_empty() && !of(&seen, "grey").is_empty(), "{seen:?}");
    let refused = app.command(&["flags", "set", "colour", "green", "--percent", "26%"])?;
    assert!(refused.status == Some(1) && refused.said().contains("above 100%"), "{}", refused.said());
    assert_eq!(split(&host)?, seen);
    Ok(())
}

#[test]
fn events_are_handled_with_the_values_that_their_headers_give() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    flags(&app, &["set", "colour", "red", "--user", "ann", "--sticky", "header:x-user"])?;
    // Each is for whoever sees that colour, and counts those who do.
    for (user, colour, counted) in
        [("ann", "red", "1"), ("bob", "grey", "1"), ("bob", "red", "0"), ("ann", "grey", "0")]
    {
        let key = format!("{user}-{colour}");
        let orders = json!({ "only": colour, "script": [{ "do": "increment", "key": key, "by": 1 }] });
        let event = json!({ "do": "publish", "subject": "work.one", "headers": [["x-user", user]], "payload": orders });
        // Whoever publishes it does so for nobody in particular.
        probe::must(&host.client(), "/front/run", &json!([{ "do": "set", "key": key, "value": "0" }, event]))?;
        wait::until("it to be handled", || {
            let idle = host.metric("hull_events_backlog")?.unwrap_or(0.0)
                + host.metric("hull_events_in_flight")?.unwrap_or(0.0);
            Ok((idle == 0.0).then_some(()))
        })?;
        assert_eq!(probe::one(&host.client(), "/front/run", &json!({ "do": "get", "key": key }))?, counted, "{key}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_a_flag_is_refused() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    for (words, status, why) in [
        (&["set", "nothing", "x"][..], 1, "app flagged has no variable \"nothing\"; declare it in [variables]"),
        (&["set", "key", "x"], 1, "variable key is secret"),
        (&["set", "colour", "x", "--sticky", "user"], 1, "header:<name>"),
        (&["set", "colour", "x", "--header", "a b=c"], 1, "cannot be the name of a header"),
        (&["unset", "colour"], 1, "has no such rule for colour"),
        (&["set", "colour", "x", "--percent", "5%", "--user", "ann"], 2, "cannot be used with"),
        (&["set", "colour", "x", "--percent", "101%"], 2, "write a share such as 5%"),
        (&["set", "Colour", "x"], 2, "cannot be the name of a variable"),
    ] {
        let ended = app.command(&[&["flags"], words].concat())?;
        assert!(ended.status == Some(status) && ended.said().contains(why), "{words:?}: {}", ended.said());
    }
    let long = "x".repeat(4097);
    let refused = app.command(&["flags", "set", "colour", &long])?;
    assert!(refused.status == Some(1) && refused.said().contains("more than 4096 bytes"), "{}", refused.said());
    assert_eq!(sees(&host, &[])?, all("grey"));
    let made = app.command(&["tokens", "add", "reader", "--role", "read", "--json"])?.json()?;
    let token = format!("Bearer {}", made["token"].as_str().unwrap_or_default());
    let asked = |method: &str, target: &str| {
        let body = json!({ "value": "x" });
        host.admin()
            .request(method, target)
            .header("authorization", &token)
            .json(&body)
            .send()
            .map(|answer| answer.status())
    };
    assert_eq!(asked("GET", "/v1/apps/flagged/flags")?, 200);
    assert_eq!(asked("PUT", "/v1/apps/flagged/flags/colour")?, 403);
    assert_eq!(asked("DELETE", "/v1/apps/flagged/flags/colour")?, 403);
    Ok(())
}

#[test]
fn what_was_told_to_be_set_is_set_after_a_crash_at_each_step() -> anyhow::Result<()> {
    let app = app()?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    host.stop()?;
    for (step, name, colour) in [("1", "flags written", "red"), ("2", "flags set", "blue")] {
        let mut host = app.host_with(&["--crash-at", step])?;
        assert_eq!(app.command(&["flags", "set", "colour", colour])?.status, Some(1));
        assert_eq!(crashed(&mut host)?.as_deref(), Some(name));
        drop(host);
        let host = app.host()?;
        assert_eq!(sees(&host, &[])?, all(colour), "what is on disk holds");
        host.stop()?;
    }
    // Half of a change is none.
    let file = app.state_dir().join("flags/flagged.json");
    std::fs::write(file.with_extension("json.unfinished"), "{\"flags\":{\"col")?;
    let host = app.host()?;
    assert_eq!(sees(&host, &[])?, all("blue"));
    host.stop()?;
    // What is damaged keeps its app from serving wrong values, and says how to mend it.
    std::fs::write(&file, "{\"flags\":{\"col")?;
    let host = app.host()?;
    let ready = host.admin().get("/healthz/ready")?;
    assert!(ready.status() == 503 && ready.text().contains("flagged.json are damaged"), "{}", ready.text());
    Ok(())
}
