//! Calls: floods of them, forks and rings within the app, and requests to the network that nobody answers.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hull_tests::app::App;
use hull_tests::http::Answer;
use hull_tests::shared::{Running, Shared};
use hull_tests::wait;
use serde_json::{Value, json};

use crate::attack::{
    APP, at_least, attack, begin, counted, ended, gives_back, hostile, is_well_again, manifest, neighbour_is_well,
    refused,
};

static ROOM: Shared = Shared::new(app);

/// Invocations that may be alive below one request.
const TREE_MAX: f64 = 64.0;
const MUCH_CPU: &str = "cpu-per-invocation = \"20s\"";

/// A component that calls that other one.
fn caller(name: &str, next: &str, limits: &str) -> String {
    let more =
        format!("variables = {{ next = \"{next}.internal\" }}\nallowed_outbound_hosts = [\"http://{next}.internal\"]");
    hostile(name, &more, &format!("{MUCH_CPU}\n{limits}"))
}

fn app() -> anyhow::Result<App> {
    App::of_text(&manifest(&[
        caller("in-turn", "neighbour", "time = \"3s\""),
        caller("at-once", "sink", "time = \"10s\""),
        hostile("sink", "", "time = \"10s\"\ncpu-per-invocation = \"10s\""),
        // So that its own bound is not the one that it meets.
        caller("fork", "fork", "time = \"3s\"\nconcurrency = 128"),
        caller("ring-a", "ring-b", ""),
        caller("ring-b", "ring-c", ""),
        caller("ring-c", "ring-a", ""),
        caller("fork-a", "fork-b", "time = \"3s\""),
        caller("fork-b", "fork-a", "time = \"3s\""),
        caller("send", "neighbour", "outbound = { body-max = \"1MiB\" }"),
        caller("unread", "sink", "time = \"2s\""),
    ]))
}

fn room() -> anyhow::Result<Arc<Running>> {
    ROOM.get()
}

#[test]
fn a_million_calls_in_turn() -> anyhow::Result<()> {
    let room = room()?;
    refused(&room, "in-turn", "calls-in-turn", 504, "deadline-exceeded")?;
    ended(room.host(), "in-turn", "http", "deadline-exceeded", 1.0)?;
    counted(room.host(), "in-turn", "time", 1.0)?;
    is_well_again(&room, "in-turn")
}

/// What is alive below one request is bounded, and so is what a guest may hold of the host.
#[test]
fn a_hundred_thousand_calls_at_once() -> anyhow::Result<()> {
    let room = room()?;
    let attack = || refused(&room, "at-once", "calls-at-once", 500, "trapped").map(drop);
    gives_back(room.host(), 2, 96, attack)?;
    ended(room.host(), "at-once", "http", "trapped", 4.0)?;
    counted(room.host(), "at-once", "call-depth", 1.0)?;
    room.host().until_idle("sink")?;
    is_well_again(&room, "at-once")
}

/// Wait until nothing of these is left: what has been given up is not yet gone.
fn until_gone(room: &Running, components: [&str; 2]) -> anyhow::Result<()> {
    for component in components {
        room.host().until_idle(component)?;
        wait::until(&format!("the guests of {component} to be gone"), || {
            Ok((room.host().inside(component)? == 0).then_some(()))
        })?;
    }
    Ok(())
}

/// Each of the tree calls sixteen more of its kind, again and again. `label` is how the label of all of them begins.
fn is_a_bomb(component: &str, other: &str, label: &str) -> anyhow::Result<()> {
    let room = room()?;
    let attack = || {
        let mut exchange = begin(&room, component, "fork")?;
        let series = format!("hull_invocations_in_flight{{app=\"{APP}\",{label}");
        let alive = at_least(room.host(), &series, TREE_MAX / 2.0)?;
        assert!(alive <= TREE_MAX, "{alive} are alive below one request");
        neighbour_is_well(&room)?;
        let head = exchange.head()?;
        let told = json!({"type": "urn:hull:problem:deadline-exceeded"});
        let body = exchange.body(&head)?;
        Answer { head, body }.expect_json(504, &told)?;
        // What is left of this tree would count with the next one.
        until_gone(&room, [component, other])
    };
    gives_back(room.host(), 1, 96, attack)?;
    counted(room.host(), component, "call-depth", 1.0)?;
    counted(room.host(), component, "time", 2.0)?;
    room.host().until_idle(other)?;
    is_well_again(&room, component)
}

#[test]
fn a_fork_bomb() -> anyhow::Result<()> {
    is_a_bomb("fork", "fork", "component=\"fork\"")
}

#[test]
fn a_fork_bomb_of_two() -> anyhow::Result<()> {
    is_a_bomb("fork-a", "fork-b", "component=\"fork-")
}

#[test]
fn a_ring_of_calls() -> anyhow::Result<()> {
    let room = room()?;
    let told = attack(&room, "ring-a", "ring")?.expect(200)?.json()?;
    assert_eq!(told, json!({"depth": 8, "why": "ErrorCode::LoopDetected"}));
    // The eighth of the chain is the second one's third turn.
    counted(room.host(), "ring-b", "call-depth", 1.0)?;
    for component in ["ring-a", "ring-b", "ring-c"] {
        is_well_again(&room, component)?;
    }
    Ok(())
}

#[test]
fn a_request_body_of_a_gibibyte() -> anyhow::Result<()> {
    let room = room()?;
    let attack = || {
        let told = attack(&room, "send", "send-endlessly")?.expect(200)?.json()?;
        assert!(told["sent"].as_u64().is_some_and(|sent| sent < 2 << 20), "{told}");
        // Whoever is called has got no more, and knows that it is not all.
        let heard: Value = serde_json::from_str(told["answer"].as_str().unwrap_or_default())?;
        assert!(heard["bytes"].as_u64().is_some_and(|bytes| bytes <= 1 << 20), "{told}");
        assert!(heard["broken"].is_string(), "{told}");
        Ok(())
    };
    gives_back(room.host(), 4, 48, attack)?;
    counted(room.host(), "send", "outbound-body", 1.0)?;
    is_well_again(&room, "send")
}

#[test]
fn an_answer_that_is_left_unread() -> anyhow::Result<()> {
    let room = room()?;
    let attack = || refused(&room, "unread", "leave-unread", 504, "deadline-exceeded").map(drop);
    gives_back(room.host(), 1, 32, attack)?;
    room.host().until_idle("sink")?;
    is_well_again(&room, "unread")
}

#[test]
fn requests_to_somebody_who_never_answers() -> anyhow::Result<()> {
    const AT_ONCE: usize = 4;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (connected, connections) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            silent.push(stream);
            // The test may be over.
            let _ = connected.send(hull_clock::now());
        }
    });
    let more = format!("variables = {{ next = \"{address}\" }}\nallowed_outbound_hosts = [\"http://{address}\"]");
    let limits = format!("{MUCH_CPU}\ntime = \"40s\"\noutbound = {{ concurrency = {AT_ONCE}, time = \"4s\" }}");
    let running = Running::start(App::of_text(&manifest(&[hostile("outside", &more, &limits)]))?)?;
    let told = attack(&running, "outside", "outside")?.expect(200)?.json()?;
    assert_eq!(told["answered"], 0, "{told}");
    // All of them have the same time: when the first have had it, it is too late for the others, but for those that began
    // last, which may get a place for what is left of theirs. Long before that there are only the first.
    let connections: Vec<Instant> = connections.try_iter().collect();
    let begun = connections.first().map(|begun| *begun + Duration::from_secs(2));
    assert_eq!(connections.iter().filter(|at| Some(**at) < begun).count(), AT_ONCE);
    let asked = told["failed"].as_u64().map_or(0, |failed| failed as usize);
    assert!(connections.len() < asked / 2, "{} of {asked}", connections.len());
    counted(running.host(), "outside", "outbound-time", 1.0)?;
    is_well_again(&running, "outside")
}
