//! Contracts: whoever would be broken by a deployment is named and it is refused, unless it is forced; events are what
//! their contract says; and examples are verified before a version serves.

use hull_tests::app::{App, Ended};
use hull_tests::events::{dead_letters, letter_path, publish};
use hull_tests::host::Host;
use hull_tests::{mail, probe, shop, wait};
use serde_json::{Value, json};

use crate::parts::{app, manifest};

/// `front` relies on `back`, whose answer to a script has these fields.
fn related(fields: &Value) -> anyhow::Result<App> {
    let app = app("one")?;
    with_contracts(&app, "one")?;
    app.write(
        "front/relies-on/back.json",
        &json!({"interactions": [{
            "description": "what a script gives",
            "request": {"method": "POST", "path": "/back/run", "body": [{"do": "config", "key": "mark"}]},
            "response": {"status": 200, "body": {"results": ["one"], "failed": 0}}
        }]})
        .to_string(),
    )?;
    promise(&app, fields)?;
    Ok(app)
}

fn with_contracts(app: &App, mark: &str) -> anyhow::Result<()> {
    let text = manifest("pair", mark, "contracts = \"front\"");
    let text = text.replace("[component.back.tool.hull]\n", "[component.back.tool.hull]\ncontracts = \"back\"\n");
    anyhow::ensure!(text.contains("contracts = \"back\""), "{text}");
    app.set_text(&text)
}

fn promise(app: &App, fields: &Value) -> anyhow::Result<()> {
    let required: Vec<&String> = fields.as_object().into_iter().flatten().map(|(name, _)| name).collect();
    let answer = json!({"type": "object", "properties": fields, "required": required});
    let content = json!({"application/json": {"schema": answer}});
    let api = json!({"openapi": "3.1.0", "paths": {"/back/run": {"post": {
        "requestBody": {"content": {"application/json": {"schema": {"type": "array"}}}},
        "responses": {"200": {"description": "the results", "content": content}},
    }}}});
    app.write("back/openapi.json", &api.to_string())
}

fn whole() -> Value {
    json!({"results": {"type": "array", "items": {"type": "string"}}, "failed": {"type": "integer"}})
}

fn lacking() -> Value {
    json!({"results": {"type": "array", "items": {"type": "string"}}})
}

const BROKEN: &str = "front relies on back: POST /back/run 200 failed: field-removed";

fn refused(ended: &Ended) {
    assert!(ended.status == Some(1) && ended.said().contains(BROKEN), "{}", ended.said());
}

#[test]
fn a_deployment_that_breaks_a_consumer_is_refused_unless_it_is_forced() -> anyhow::Result<()> {
    let app = related(&whole())?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    promise(&app, &lacking())?;
    let checked = app.check()?;
    refused(&checked);
    for flags in [&[][..], &["--canary", "10%"], &["--blue-green"]] {
        let told = app.deploy(flags)?;
        refused(&told);
        assert!(told.said().contains("--force"), "{}", told.said());
    }
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"].as_array().map(Vec::len), Some(1));
    // More than before breaks nobody.
    let mut more = whole();
    more["took_ms"] = json!({"type": "integer"});
    promise(&app, &more)?;
    app.deploy(&[])?.good()?;

    promise(&app, &lacking())?;
    let forced = app.deploy(&["--force", "--json"])?.good()?;
    assert!(forced.stderr.contains(BROKEN), "{}", forced.said());
    let record: Value = serde_json::from_str(&forced.stdout)?;
    assert!(record["forced"][0].as_str().is_some_and(|told| told.contains(BROKEN)), "{record}");
    let audit = app.command(&["audit"])?.good()?.stdout;
    assert!(audit.contains("deploy --force pair: forced past contracts") && audit.contains(BROKEN), "{audit}");
    // What serves comes back without being asked again.
    host.kill()?;
    let host = app.host()?;
    assert_eq!(host.ready()["apps"][0]["revision"], 3);
    app.command(&["rollback", "2"])?.good()?;
    app.command(&["rollback", "3"])?.good()?;
    assert!(host.client().get("/front/hello")?.expect(200)?.text().contains("probe"));
    Ok(())
}

#[test]
fn what_is_no_contract_is_refused_whatever_is_forced() -> anyhow::Result<()> {
    let app = related(&whole())?;
    let _host = app.host()?;
    app.deploy(&[])?.good()?;
    for (file, text, told) in [
        ("back/openapi.json", json!({"swagger": "2.0"}), "no OpenAPI document"),
        ("back/events/some.thing.json", json!({}), "neither publishes nor handles some.thing"),
        ("back/relies-on/front.json", json!({"interactions": 5}), "relies-on/front.json"),
    ] {
        app.write(file, &text.to_string())?;
        let refused = app.deploy(&["--force"])?;
        assert!(refused.status == Some(1) && refused.said().contains(told), "{file}: {}", refused.said());
        std::fs::remove_file(app.folder().join(file))?;
        promise(&app, &whole())?;
    }
    app.deploy(&[])?.good()?;
    Ok(())
}

#[test]
fn one_app_from_a_file_is_held_to_its_contracts_as_well() -> anyhow::Result<()> {
    let app = related(&lacking())?;
    refused(&app.up_ends()?);
    promise(&app, &whole())?;
    app.up()?;
    Ok(())
}

#[test]
fn events_are_what_their_contract_says() -> anyhow::Result<()> {
    let sender = probe::component("sender", "", "publishes = [\"work.*\"]\ncontracts = \"sender\"");
    let worker = mail::handler("worker", "subjects = [\"work.*\"]", "contracts = \"worker\"");
    let app = mail::app(&[sender, worker])?;
    let orders = |more: &str| format!("{{\"type\": \"object\", \"required\": [\"script\"{more}]}}");
    app.write("sender/events/work.made.json", &orders(", \"then\""))?;
    app.write("worker/events/work.*.json", &orders(""))?;
    let host = app.up()?;
    let client = host.client();
    let send = |payload: Value| {
        let step = json!({"do": "publish", "subject": "work.made", "payload": payload});
        probe::one(&client, "/sender/run", &step)
    };
    let told = send(json!({"script": [mail::see()]}))?;
    assert_eq!(told["error"], "invalid", "{told}");
    let detail = told["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("work.made") && detail.contains("`then` is missing"), "{detail}");
    assert!(send(json!("no JSON"))?["detail"].as_str().is_some_and(|detail| detail.contains("no JSON")));
    send(json!({"script": [mail::see()], "then": "ok"}))?;
    mail::until_seen(&client, "worker", "work.made", 1)?;

    publish(&host, mail::APP, "work.outside", &json!({"then": "reject"}))?;
    let letter = wait::until("a dead letter of what has no script", || {
        let letters = dead_letters(&host, mail::APP, "worker")?;
        Ok(letters.into_iter().find(|letter| letter["subject"] == "work.outside"))
    })?;
    let reason = letter["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("does not match its contract (events/work.*.json): `script` is missing"), "{letter}");
    assert_eq!(letter["attempts"], 0, "no handler was started: {letter}");
    let path = letter_path(mail::APP, "worker", &letter)?;
    let replayed = host.asked("POST", &format!("{path}/replay"))?.send()?.expect(200)?.json()?;
    assert_eq!(replayed["outcome"], "failed", "{replayed}");

    publish(&host, mail::APP, "work.good", &mail::seen_and_ok())?;
    mail::until_seen(&client, "worker", "work.good", 1)?;
    Ok(())
}

#[test]
fn examples_are_verified_against_a_version_before_it_serves() -> anyhow::Result<()> {
    let app = related(&whole())?;
    let file = app.manifest().display().to_string();
    let verify = |more: &[&str]| app.command(&[&["verify", "-f", &file], more].concat());
    let told = verify(&[])?.good()?;
    assert!(told.stdout.contains("front relies on back: what a script gives: verified"), "{}", told.said());
    assert!(told.stdout.contains("ok   failed: 0, integer is relied on"), "{}", told.said());
    assert!(verify(&["front"])?.good()?.stderr.contains("nobody has recorded"));

    // It says what it said, and does not do it.
    with_contracts(&app, "one")?;
    let text = std::fs::read_to_string(app.manifest())?;
    app.set_text(&text.replace("variables = { mark = \"one\" }", "variables = {}"))?;
    let broken = verify(&["back", "--json"])?;
    assert_eq!(broken.status, Some(1), "{}", broken.said());
    let outcomes: Value = serde_json::from_str(&broken.stdout)?;
    assert_eq!((&outcomes[0]["outcome"], &outcomes[0]["consumer"]), (&json!("broken"), &json!("front")));
    let fields = outcomes[0]["fields"].as_array().expect("fields");
    let wrong: Vec<&Value> = fields.iter().filter(|field| field["fits"] == false).collect();
    assert_eq!((wrong.len(), &wrong[0]["field"]), (1, &json!("results[]")), "{outcomes}");
    Ok(())
}

#[test]
fn a_revision_that_is_tried_is_verified_without_a_change() -> anyhow::Result<()> {
    let app = related(&whole())?;
    let get = |text: &str| {
        json!({"description": text, "request": {"method": "GET", "path": "/back/echo", "headers": {"x-colour": "red"}},
            "response": {"status": 200, "body": {"method": "GET", "headers": {"x-colour": "red"}}, "exact": ["headers.x-colour"]}})
    };
    let recorded = json!({"interactions": [get("an echo"), {
        "description": "a change", "request": {"method": "POST", "path": "/back/run", "body": []}, "response": {"status": 200}}]});
    app.write("back/consumers/partner.json", &recorded.to_string())?;
    std::fs::remove_file(app.folder().join("front/relies-on/back.json"))?;
    std::fs::remove_file(app.folder().join("back/openapi.json"))?;
    let file = app.manifest().display().to_string();
    let _host: Host = app.host()?;
    app.deploy(&[])?.good()?;
    let preview = || app.command(&["verify", "-f", &file, "--preview"]);
    let none = preview()?;
    assert!(
        none.status == Some(1) && none.said().contains("no revision of app pair is being tried"),
        "{}",
        none.said()
    );
    with_contracts(&app, "two")?;
    app.deploy(&["--blue-green"])?.good()?;
    let told = preview()?.good()?;
    assert!(told.stdout.contains("partner relies on back: an echo: verified"), "{}", told.said());
    assert!(told.stdout.contains("a change: left out"), "{}", told.said());
    assert!(told.stdout.contains("1 verified, 0 broken, 1 left out"), "{}", told.said());
    Ok(())
}

#[test]
fn the_shop_keeps_its_contracts() -> anyhow::Result<()> {
    let shop = shop::altered(&[])?;
    let file = shop.manifest().display().to_string();
    let told = shop.command(&["verify", "-f", &file, "--json"])?.json()?;
    let outcomes = told.as_array().expect("a list");
    assert!(outcomes.len() >= 4 && outcomes.iter().all(|one| one["outcome"] == "verified"), "{told}");

    // What would be found out only when somebody opens the home page.
    let api = std::fs::read_to_string(hull_tests::files::project().join("components/products/contracts/openapi.json"))?;
    let mut api: Value = serde_json::from_str(&api)?;
    let product = &mut api["components"]["schemas"]["Product"];
    product["properties"].as_object_mut().expect("properties").remove("priceCents");
    product["required"] = json!(["id", "name", "description", "category", "currency"]);
    let broken = shop::altered(&[("contracts = \"components/products/contracts\"", "contracts = \"other\"")])?;
    broken.write("other/openapi.json", &api.to_string())?;
    let told = broken.check()?;
    assert_eq!(told.status, Some(1), "{}", told.said());
    for consumer in ["web-bff", "orders"] {
        let line = format!("{consumer} relies on products: GET /api/products 200 items[].priceCents: field-removed");
        assert!(told.said().contains(&line), "{}", told.said());
    }
    Ok(())
}
