//! Uploads that are cut short, hostile or too large: refused, and nothing has changed.

use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::http::Answer;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::parts::{app, serves};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn send(host: &Host, body: impl Into<Vec<u8>>) -> anyhow::Result<Answer> {
    host.asked("POST", "/v1/apps/pair/revisions")?.body(body).send()
}

fn head(manifest: &str, more: &Value) -> Value {
    let mut head = json!({"format": 1, "components": {}, "files": [], "variables": {}, "message": "",
        "manifest": {"path": "spin.toml", "bytes": manifest.len(), "sha256": EMPTY}});
    for (key, value) in more.as_object().into_iter().flatten() {
        head[key] = value.clone();
    }
    head
}

fn until_nothing_is_left(app: &App) -> anyhow::Result<()> {
    let incoming = app.state_dir().join("revisions/incoming");
    wait::until("what was received to be gone", || Ok((std::fs::read_dir(&incoming)?.count() == 0).then_some(())))
}

#[test]
fn what_is_no_upload_is_refused() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let path = |path: &str| json!({"files": [{"path": path, "bytes": 0, "sha256": EMPTY}]});
    let component = |name: &str| json!({"components": {name: {"bytes": 0, "sha256": EMPTY}}});
    for (status, body) in [
        (422, String::new()),
        (422, "\n".to_owned()),
        (422, "GET / HTTP/1.1\n".to_owned()),
        (422, format!("{}\n", head("", &json!({"format": 7})))),
        (422, format!("{}\n", head("", &json!({"unknown": 7})))),
        (422, format!("{}\n", head("", &path("../../../etc/cron.d/x")))),
        (422, format!("{}\n", head("", &path("/etc/cron.d/x")))),
        (422, format!("{}\n", head("", &component("../../x")))),
        (422, format!("{}\nmore", head("", &json!({})))),
        (422, format!("{}\n", head("", &json!({})))),
        (422, format!("{}\nshort", head("this was announced and does not come", &json!({})))),
        (
            413,
            format!(
                "{}\n",
                head("", &json!({"files": [{"path": "a", "bytes": 1_u64 << 40, "sha256": EMPTY.replace('e', "f")}]}))
            ),
        ),
        (409, format!("{}\n", head("", &json!({"if_revision": 9})))),
    ] {
        let answer = send(&host, body.clone())?;
        assert_eq!(answer.status(), status, "{body}\n{}", answer.text());
    }
    // A small one that it says it is may not bring in a large one that it also says it is.
    let answer =
        send(&host, format!("{}\n", head("", &json!({"components": {"front": {"bytes": 1, "sha256": EMPTY}}}))))?;
    assert!(answer.status() == 422 && answer.text().contains("two lengths"), "{}", answer.text());
    assert_eq!(host.asked("POST", "/v1/apps/..%2F..%2Fx/revisions")?.body("x").send()?.status(), 404);
    assert_eq!(host.asked("GET", "/v1/apps/..%2F..%2Fx/revisions")?.send()?.status(), 404);
    let no_token = host.admin().request("POST", "/v1/apps/pair/revisions").body("x").send()?;
    assert_eq!(no_token.status(), 401);
    let wrong = host.admin().request("POST", "/v1/apps/pair/revisions").header("authorization", "Bearer x").body("x");
    assert_eq!(wrong.send()?.status(), 401);
    serves(&host.client(), "one")?;
    assert_eq!(app.command(&["history", "--json"])?.json()?["revisions"].as_array().map(Vec::len), Some(1));
    until_nothing_is_left(&app)
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() -> anyhow::Result<()> {
    let app = app("one")?;
    let host = app.host()?;
    app.deploy(&[])?.good()?;
    let announced = json!({"components": {"front": {"bytes": 1 << 20, "sha256": EMPTY.replace('e', "f")}}});
    let body = format!("{}\n{}", head("", &announced), "x".repeat(1 << 20));
    for length in [200, 1000, 200_000, 900_000] {
        let exchange = host.asked("POST", "/v1/apps/pair/revisions")?.body(body.clone()).begin(length)?;
        drop(exchange);
    }
    until_nothing_is_left(&app)?;
    serves(&host.client(), "one")?;
    app.deploy(&[])?.good()?;
    Ok(())
}
