//! The saga with an orchestrator: each checkout ends completed or undone, whatever is refused, slow, or killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hull_tests::app::App;
use hull_tests::http::Client;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::example;

/// With kills and all attempts of a command that is given up.
const END_TIME: Duration = Duration::from_mins(1);
const LAMPS: i64 = 1000;
const CHAIRS: i64 = 3;
const KILLS: u32 = 8;

fn purchase(item: &str, more: &Value) -> Value {
    let mut purchase = json!({"item": item, "quantity": 1, "card": "4242", "address": "Main Street 1"});
    if let (Some(purchase), Some(more)) = (purchase.as_object_mut(), more.as_object()) {
        purchase.extend(more.clone());
    }
    purchase
}

fn begin(client: &Client, id: &str, purchase: &Value) -> anyhow::Result<()> {
    client.request("PUT", &format!("/checkouts/{id}")).json(purchase).send()?.expect(202).map(drop)
}

fn ended(client: &Client, id: &str) -> anyhow::Result<Value> {
    wait::until_within(END_TIME, &format!("{id} to end"), || {
        let checkout = client.get(&format!("/checkouts/{id}"))?.expect(200)?.json()?;
        Ok(matches!(checkout["state"].as_str(), Some("completed" | "cancelled")).then_some(checkout))
    })
}

/// What happened, without the reasons.
fn history(checkout: &Value) -> Vec<String> {
    let entries = checkout["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(Value::as_str).map(|entry| entry.split(',').next().unwrap_or(entry).to_owned()).collect()
}

/// What the three services did for each saga: commands with their refusals.
fn done(client: &Client) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut done: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for service in ["stock", "courier", "payments"] {
        let lines = client.get(&format!("/{service}/ledger"))?.expect(200)?.json()?;
        for line in lines.as_array().context("a list")? {
            let (saga, command) = (line["saga"].as_str().context("a saga")?, line["command"].as_str().context("one")?);
            if line["refusal"].is_null() {
                done.entry(saga.to_owned()).or_default().insert(command.to_owned());
            }
        }
    }
    Ok(done)
}

/// Everything is done, or what was done is undone and nothing is charged.
fn check(client: &Client, checkouts: &[Value]) -> anyhow::Result<()> {
    let done = done(client)?;
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    for checkout in checkouts {
        let id = checkout["id"].as_str().context("an id")?;
        let did = |command: &str| done.get(id).is_some_and(|commands| commands.contains(command));
        let told = || format!("{checkout}\n{:?}", done.get(id));
        if checkout["state"] == "completed" {
            for command in ["stock.reserve", "courier.book", "payments.charge", "stock.pick", "courier.dispatch"] {
                ensure!(did(command), "{command} is missing: {}", told());
            }
            ensure!(!did("stock.release") && !did("courier.cancel"), "completed and undone: {}", told());
            *sold.entry(checkout["purchase"]["item"].as_str().context("an item")?).or_default() += 1;
        } else {
            for command in ["payments.charge", "stock.pick", "courier.dispatch"] {
                ensure!(!did(command), "{command} of a cancelled one: {}", told());
            }
            ensure!(!did("stock.reserve") || did("stock.release"), "stock is held: {}", told());
            ensure!(!did("courier.book") || did("courier.cancel"), "a courier is held: {}", told());
        }
    }
    for (item, opening) in [("lamp", LAMPS), ("chair", CHAIRS)] {
        let shelf = client.get(&format!("/stock/shelf/{item}"))?.expect(200)?.json()?;
        let left = opening - sold.get(item).copied().unwrap_or(0);
        ensure!(shelf["available"] == left, "{item}: {shelf}, and {sold:?} were sold");
    }
    Ok(())
}

#[test]
fn every_way_of_a_saga_ends_as_its_plan_says() -> anyhow::Result<()> {
    let app = example("orchestrated-checkout")?;
    let host = app.up()?;
    let client = host.client();
    let ways = [
        ("good", json!({})),
        ("declined", json!({"card": "declined"})),
        ("far", json!({"address": "the moon"})),
        ("slow", json!({"busy": {"courier.book": 1, "payments.charge": 1, "courier.dispatch": 1}})),
        ("slow-undo", json!({"card": "declined", "busy": {"courier.cancel": 2}})),
        ("silent", json!({"busy": {"courier.book": 99}})),
        ("too-many", json!({"quantity": 100, "item": "chair"})),
    ];
    for (id, more) in &ways {
        begin(&client, id, &purchase("lamp", more))?;
    }
    // Asked again it is the same one; about something else it is refused.
    begin(&client, "good", &purchase("lamp", &json!({})))?;
    client.request("PUT", "/checkouts/good").json(&purchase("chair", &json!({}))).send()?.expect(409)?;

    let mut checkouts = BTreeMap::new();
    for (id, _) in &ways {
        checkouts.insert(*id, ended(&client, id)?);
    }
    let went = |id: &str| (checkouts[id]["state"].clone(), history(&checkouts[id]));
    let forward = ["stock.reserve: done", "courier.book: done", "payments.charge: done", "stock.pick: done"];
    let completed: Vec<String> = forward.into_iter().chain(["courier.dispatch: done"]).map(str::to_owned).collect();
    let cancelled = |history: &[&str]| (json!("cancelled"), history.iter().map(|one| (*one).to_owned()).collect());
    let declined = [
        "stock.reserve: done",
        "courier.book: done",
        "payments.charge: refused",
        "courier.cancel: done",
        "stock.release: done",
    ];
    assert_eq!(went("good"), (json!("completed"), completed.clone()));
    assert_eq!(went("slow"), (json!("completed"), completed));
    assert_eq!(went("declined"), cancelled(&declined));
    assert_eq!(went("slow-undo"), cancelled(&declined));
    assert_eq!(went("far"), cancelled(&["stock.reserve: done", "courier.book: refused", "stock.release: done"]));
    let given_up = "courier.book: given up after 5 attempts";
    let silent = ["stock.reserve: done", given_up, "courier.cancel: done", "stock.release: done"];
    assert_eq!(went("silent"), cancelled(&silent));
    assert_eq!(went("too-many"), cancelled(&["stock.reserve: refused"]));
    check(&client, &checkouts.into_values().collect::<Vec<_>>())?;
    host.stop()?;
    Ok(())
}

/// Killed again and again, at other moments each time.
fn survives_kills(app: &App) -> anyhow::Result<()> {
    let ways = [
        json!({}),
        json!({"card": "declined"}),
        json!({"busy": {"courier.book": 1, "stock.pick": 1}}),
        json!({"card": "declined", "busy": {"courier.cancel": 1}}),
        json!({"address": "the moon"}),
    ];
    let mut ids = Vec::new();
    let mut host = app.up()?;
    for kill in 0..KILLS {
        for n in 0..5 {
            let id = format!("c{kill}-{n}");
            let item = if n == 0 { "chair" } else { "lamp" };
            let more = &ways[(n + kill as usize) % ways.len()];
            begin(&host.client(), &id, &purchase(item, more))?;
            ids.push(id);
        }
        std::thread::sleep(Duration::from_millis(40) * kill);
        host.kill()?;
        host = app.up()?;
    }
    let client = host.client();
    let checkouts = ids.iter().map(|id| ended(&client, id)).collect::<anyhow::Result<Vec<_>>>()?;
    check(&client, &checkouts)?;
    let completed = checkouts.iter().filter(|checkout| checkout["state"] == "completed").count();
    ensure!(completed > 0 && completed < checkouts.len(), "{completed} of {} completed", checkouts.len());
    let dead = app.command(&["dead-letters", "list"])?;
    ensure!(dead.stdout.contains("there are none"), "{}", dead.said());
    host.stop()?;
    Ok(())
}

#[test]
fn sagas_go_on_after_a_kill() -> anyhow::Result<()> {
    survives_kills(&example("orchestrated-checkout")?)
}

#[test]
fn sagas_go_on_after_a_kill_with_their_events_on_nats() -> anyhow::Result<()> {
    survives_kills(&example("orchestrated-checkout")?.on_nats()?)
}
