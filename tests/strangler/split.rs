//! One route between monolith and component: the same users always, more of them as the share grows, and none without an
//! answer while it does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::http::Client;
use serde_json::json;

use crate::manifest;
use crate::monolith::Monolith;

const USERS: usize = 200;

fn split(monolith: &Monolith, percent: u32) -> String {
    let policy = format!(
        "[application.tool.hull.routes.\"/orders/...\"]\n\
         split = {{ upstream = \"monolith\", component = \"{percent}%\", by = \"cookie:session\" }}"
    );
    manifest(&monolith.url(), "routes = [\"/...\"]", &policy)
}

/// Whether the component answers that user.
fn is_extracted(client: &Client, user: usize) -> anyhow::Result<bool> {
    let request = client.request("GET", "/orders/hello").header("cookie", &format!("a=1; session=user-{user}"));
    let text = request.send()?.expect(200)?.text();
    anyhow::ensure!(text.contains("Hello from the probe") != text.contains("monolith"), "{text}");
    Ok(text.contains("Hello from the probe"))
}

fn extracted(client: &Client) -> anyhow::Result<BTreeSet<usize>> {
    let mut users = BTreeSet::new();
    for user in 0..USERS {
        if is_extracted(client, user)? {
            users.insert(user);
        }
    }
    Ok(users)
}

#[test]
fn an_extraction_goes_from_nobody_to_everybody_and_nobody_is_lost() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let app = App::of_text(&split(&monolith, 0))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let client = host.client();
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let walker = scope.spawn(|| -> anyhow::Result<()> {
            while !over.load(Ordering::Acquire) {
                is_extracted(&client, asked.fetch_add(1, Ordering::Relaxed))?;
            }
            Ok(())
        });
        let walked = walk(&app, &host, &monolith);
        over.store(true, Ordering::Release);
        walker.join().expect("no panic")?;
        walked
    })?;
    assert!(asked.load(Ordering::Relaxed) > 100, "there was traffic all the time");
    Ok(())
}

fn walk(app: &App, host: &Host, monolith: &Monolith) -> anyhow::Result<()> {
    let client = host.client();
    assert!(extracted(&client)?.is_empty());
    // Whoever tries it says so, whatever the share.
    let tried = client.request("GET", "/orders/hello").header("x-hull-split", "component").send()?.expect(200)?;
    assert!(tried.text().contains("Hello from the probe"));
    let mut before = BTreeSet::new();
    for percent in [5, 30, 100, 30] {
        app.set_text(&split(monolith, percent))?;
        app.deploy(&[])?.good()?;
        let now = extracted(&client)?;
        let expected = USERS * percent as usize / 100;
        assert!(now.len().abs_diff(expected) <= 25, "{} of {expected} users at {percent}%", now.len());
        let (few, many) = if before.len() <= now.len() { (&before, &now) } else { (&now, &before) };
        assert!(few.is_subset(many), "a share that changes moves no more users than it must");
        assert_eq!(extracted(&client)?, now, "every user stays where it is");
        before = now;
    }
    let kept = client.request("GET", "/orders/hello").header("x-hull-split", "upstream").send()?.expect(200)?;
    assert!(kept.text().contains("monolith"));
    let routes = host.asked("GET", "/v1/apps")?.send()?.expect(200)?.json()?["apps"][0]["routes"].clone();
    let shared =
        json!({ "route": "/orders/...", "component": "orders", "upstream": "monolith", "component_percent": 30 });
    assert_eq!(routes, json!([shared, { "route": "/...", "component": null, "upstream": "monolith" }]));
    Ok(())
}

#[test]
fn the_users_of_a_share_are_the_same_after_a_crash() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let app = App::of_text(&split(&monolith, 40))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let before = extracted(&host.client())?;
    host.kill()?;
    let host = app.host()?;
    assert_eq!(extracted(&host.client())?, before);
    Ok(())
}

#[test]
fn a_monolith_that_fails_is_noticed_only_by_its_own_share() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let app = App::of_text(&split(&monolith, 50))?;
    let host = app.up()?;
    let client = host.client();
    let users = extracted(&client)?;
    drop(monolith);
    for user in 0..USERS {
        let request = client.request("GET", "/orders/hello").header("cookie", &format!("session=user-{user}"));
        let wanted = if users.contains(&user) { 200 } else { 502 };
        request.send()?.expect(wanted)?;
    }
    Ok(())
}

#[test]
fn a_revision_without_the_upstream_lets_its_requests_end() -> anyhow::Result<()> {
    let monolith = Monolith::start()?;
    let app = App::of_text(&split(&monolith, 0))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let mut under_way = host.client().request("GET", "/orders/hold/2").start()?;
    hull_tests::wait::until("it to reach the monolith", || Ok((monolith.requests() == 1).then_some(())))?;
    let whole = hull_tests::probe::application("fig") + &hull_tests::probe::component("orders", "", "");
    app.set_text(&whole)?;
    app.deploy(&[])?.good()?;
    assert!(is_extracted(&host.client(), 1)?);
    host.client().get("/elsewhere")?.expect(404)?;
    let head = under_way.head()?;
    assert_eq!((head.status, under_way.body(&head)?.as_slice()), (200, &b"\"at last\""[..]));
    let status = app.command(&["status", "--json"])?.json()?;
    assert_eq!(status["upstreams"], json!([]));
    Ok(())
}
