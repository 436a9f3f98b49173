//! Swaps under load: no request and no event is lost, none is answered by a mixture, and a bound stays a bound.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hull_tests::app::App;
use hull_tests::events;
use hull_tests::exchange::Exchange;
use hull_tests::http::Client;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

use crate::parts::{app, manifest, marks, other_build, serves};

const SWAPS: usize = 50;
const CLIENTS: usize = 4;

/// One request after the other over one connection, each of which must see one revision; how many there were.
fn keep_asking(client: &Client, over: &AtomicBool) -> anyhow::Result<u64> {
    let own = json!({ "do": "config", "key": "mark" });
    let call = json!({ "do": "call", "url": "http://back.internal/run", "script": [own] });
    let body = json!([own, call]).to_string();
    let head = format!(
        "POST /front/run HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut exchange = Exchange::open(client.address())?;
    let mut asked = 0;
    while !over.load(Ordering::Acquire) {
        exchange.send(head.as_bytes())?;
        let answer = exchange.head()?;
        let told: Value = serde_json::from_slice(&exchange.body(&answer)?)?;
        anyhow::ensure!(answer.status == 200 && told["failed"] == 0, "{}: {told}", answer.status);
        let (front, back) = (&told["results"][0], &told["results"][1]["body"]["results"][0]);
        anyhow::ensure!(front == back && front.is_string(), "a mixture: {front} and {back}");
        asked += 1;
    }
    Ok(asked)
}

#[test]
fn fifty_swaps_under_load_fail_no_request_and_lose_no_event() -> anyhow::Result<()> {
    let app = app("m0")?;
    let builds = [other_build(&app, "a")?, other_build(&app, "b")?];
    let text = |n: usize| {
        let trigger = "[[trigger.messaging]]\ncomponent = \"front\"\nsubjects = [\"work.*\"]\n";
        let text = manifest("pair", &format!("m{n}"), "publishes = [\"work.*\"]");
        text.replace("{probe}", &builds[n % 2]) + trigger
    };
    app.set_text(&text(0))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let (over, published) = (AtomicBool::new(false), AtomicU64::new(0));
    let client = host.client();
    let asked = std::thread::scope(|scope| -> anyhow::Result<u64> {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| keep_asking(&client, &over))).collect();
        let publisher = scope.spawn(|| -> anyhow::Result<()> {
            // Counted once for each event, in the same unit of work as its mark.
            let script = json!({ "script": [{ "do": "increment", "key": "handled", "by": 1 }], "then": "fault" });
            while !over.load(Ordering::Acquire) {
                events::publish(&host, "pair", "work.one", &script)?;
                published.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let swapped = (1..=SWAPS).try_for_each(|n| -> anyhow::Result<()> {
            app.set_text(&text(n))?;
            if n % 10 == 0 {
                app.command(&["rollback"])?.good()?;
            } else {
                app.deploy(&[])?.good()?;
            }
            Ok(())
        });
        over.store(true, Ordering::Release);
        let mut asked = 0;
        for client in clients {
            asked += client.join().expect("no panic")?;
        }
        publisher.join().expect("no panic")?;
        swapped.map(|()| asked)
    })?;
    let published = published.into_inner();
    println!("{SWAPS} swaps, {asked} requests, {published} events");
    assert!(asked > 500 && published > 50, "{asked} requests and {published} events are too few to tell");
    let handled = || probe::one(&client, "/front/run", &json!({ "do": "increment", "key": "handled", "by": 0 }));
    wait::until("every event to be handled", || Ok((handled()? == published).then_some(())))?;
    assert!(events::dead_letters(&host, "pair", "front")?.is_empty());
    host.stop()?;
    Ok(())
}

#[test]
fn an_answer_that_is_on_its_way_is_not_cut() -> anyhow::Result<()> {
    const BYTES: u64 = 64 << 20;
    let limits = "[component.front.tool.hull.limits]\ntime = \"60s\"\ncpu-per-invocation = \"20s\"";
    let app = App::of_text(&manifest("pair", "old", limits))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let mut exchange = host.client().request("GET", &format!("/front/download?bytes={BYTES}")).start()?;
    let head = exchange.head()?;
    for mark in ["new", "newer"] {
        app.set_text(&manifest("pair", mark, limits))?;
        app.deploy(&[])?.good()?;
        serves(&host.client(), mark)?;
    }
    let mut received = 0;
    exchange.each_piece(&head, |piece| received += piece.len() as u64)?;
    assert_eq!((head.status, received), (200, BYTES));
    Ok(())
}

/// A request that begins, sleeps over a swap, and then calls.
fn sleeper(client: &Client) -> anyhow::Result<Exchange> {
    let own = json!({ "do": "config", "key": "mark" });
    let call = json!({ "do": "call", "url": "http://back.internal/run", "script": [own] });
    let begun = json!({ "do": "set", "key": "begun", "value": "yes" });
    client.request("POST", "/front/run").json(&json!([begun, { "do": "sleep", "ms": 4000 }, own, call])).start()
}

fn begun(client: &Client) -> anyhow::Result<()> {
    wait::until("the sleeper to have begun", || {
        Ok((probe::one(client, "/front/run", &json!({ "do": "exists", "key": "begun" }))? == true).then_some(()))
    })
}

#[test]
fn what_began_in_a_revision_calls_components_of_it_also_one_that_is_gone() -> anyhow::Result<()> {
    let limits = "[component.front.tool.hull.limits]\ntime = \"20s\"";
    let app = App::of_text(&manifest("pair", "old", limits))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let mut exchange = sleeper(&host.client())?;
    begun(&host.client())?;
    app.set_text(&manifest("pair", "new", limits))?;
    app.deploy(&[])?.good()?;
    serves(&host.client(), "new")?;
    // And once more, to a revision without that component.
    let alone = manifest("pair", "alone", limits);
    let alone = &alone[..alone.find("[[trigger.http]]\nroute = \"/back").expect("the second component")];
    app.set_text(&alone.replace("http://back.internal", "https://nowhere.example"))?;
    app.deploy(&[])?.good()?;
    host.client().get("/back/hello")?.expect(404)?;
    let head = exchange.head()?;
    let told: Value = serde_json::from_slice(&exchange.body(&head)?)?;
    assert_eq!(
        (&told["results"][2], &told["results"][3]["body"]["results"][0]),
        (&json!("old"), &json!("old")),
        "{told}"
    );
    Ok(())
}

#[test]
fn those_inside_count_over_a_swap() -> anyhow::Result<()> {
    let limits = "[component.front.tool.hull.limits]\ntime = \"20s\"\nconcurrency = 2";
    let queue = "[application.tool.hull.bulkheads.tight]\nconcurrency = 2\nqueue = { length = 0, wait = \"10ms\" }\n";
    let text = |mark: &str| {
        let text = manifest("pair", mark, &format!("bulkhead = \"tight\"\n{limits}"));
        text.replacen("[[trigger.http]]", &format!("{queue}[[trigger.http]]"), 1)
    };
    let app = App::of_text(&text("old"))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    // They wait inside for the end of their bodies.
    let upload = || {
        let request = host.client().request("POST", "/front/upload").header("transfer-encoding", "chunked");
        request.start()
    };
    let mut held = [upload()?, upload()?];
    wait::until("both to be inside", || Ok((host.inside("front")? == 2).then_some(())))?;
    app.set_text(&text("new"))?;
    app.deploy(&[])?.good()?;
    assert_eq!(host.inside("front")?, 2, "those of the version before are inside still");
    host.client().get("/front/hello")?.expect(503)?;
    for exchange in &mut held {
        exchange.send(b"0\r\n\r\n")?;
        let head = exchange.head()?;
        let told: Value = serde_json::from_slice(&exchange.body(&head)?)?;
        assert_eq!((head.status, &told["broken"]), (200, &Value::Null), "{told}");
    }
    host.until_idle("front")?;
    wait::until("there to be room", || {
        Ok(marks(&host.client()).ok().filter(|seen| *seen == ("new".to_owned(), "new".to_owned())))
    })?;
    Ok(())
}

#[test]
fn swaps_leave_no_memory_behind() -> anyhow::Result<()> {
    const GROWTH_BYTES_MAX: u64 = 24 << 20;
    let app = app("m0")?;
    // Instances that are kept for the next invocation are the ones that could be kept for ever.
    let text = |n: usize| manifest("pair", &format!("m{n}"), "reuse = \"serial\"");
    app.set_text(&text(0))?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let mut after_fifty = 0;
    for n in 1..=100 {
        app.set_text(&text(n))?;
        app.deploy(&[])?.good()?;
        for _ in 0..4 {
            serves(&host.client(), &format!("m{n}"))?;
        }
        if n == 50 {
            after_fifty = host.resident_bytes()?;
        }
    }
    let grown = host.resident_bytes()?.saturating_sub(after_fifty);
    println!("from the 50th to the 100th swap: {} KiB", grown >> 10);
    assert!(grown <= GROWTH_BYTES_MAX, "grew by {} MiB", grown >> 20);
    hull_tests::wait::until_within(Duration::from_secs(5), "it to answer", || Ok(marks(&host.client()).ok()))?;
    Ok(())
}
