//! What a component may use in a time is not there anew because it is deployed again.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};

use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::{probe, wait};
use serde_json::{Value, json};

/// One component that knows its mark.
fn text(mark: &str, grant: &str, limits: &str) -> String {
    let more = format!("variables = {{ mark = \"{mark}\" }}\n{grant}");
    let limits = format!("publishes = [\"nobody.*\"]\n[component.front.tool.hull.limits]\n{limits}");
    probe::application("one") + &probe::component("front", &more, &limits)
}

/// Deploy it with another mark, and see that this one serves.
fn deployed(app: &App, host: &Host, mark: &str, grant: &str, limits: &str) -> anyhow::Result<()> {
    app.set_text(&text(mark, grant, limits))?;
    app.deploy(&[])?.good()?;
    let seen = probe::one(&host.client(), "/front/run", &json!({"do": "config", "key": "mark"}))?;
    anyhow::ensure!(seen == mark, "{seen} instead of {mark}");
    Ok(())
}

#[test]
fn messages() -> anyhow::Result<()> {
    let app = App::of_text(&text("", "", ""))?;
    let host = app.host()?;
    let publish = || -> anyhow::Result<Value> {
        let step = json!({"do": "publish", "subject": "nobody.asked", "payload": "x"});
        Ok(probe::one(&host.client(), "/front/run", &step)?["error"].clone())
    };
    deployed(&app, &host, "one", "", "messages = { rate = \"3/h\" }")?;
    for _ in 0..3 {
        assert_eq!(publish()?, Value::Null);
    }
    assert_eq!(publish()?, "rate-limited");
    for (mark, rate) in [("two", "3/h"), ("three", "2/h"), ("four", "3/h")] {
        deployed(&app, &host, mark, "", &format!("messages = {{ rate = \"{rate}\" }}"))?;
        assert_eq!(publish()?, "rate-limited", "after {mark}");
    }
    // More is more from now on, and not what would have been.
    deployed(&app, &host, "five", "", "messages = { rate = \"3000/s\" }")?;
    wait::until("the new rate", || Ok(publish()?.is_null().then_some(())))
}

/// Take a connection and the head of its request.
fn taken(listener: &TcpListener) -> anyhow::Result<TcpStream> {
    let (mut stream, _) = listener.accept()?;
    let mut head = [0; 1024];
    anyhow::ensure!(stream.read(&mut head)? > 0, "it said nothing");
    Ok(stream)
}

#[test]
fn requests_to_the_outside() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let grant = format!("allowed_outbound_hosts = [\"{url}\"]");
    let limits = |time: &str| format!("time = \"20s\"\noutbound = {{ concurrency = 1, time = \"{time}\" }}");
    let app = App::of_text(&text("", "", ""))?;
    let host = app.host()?;
    deployed(&app, &host, "one", &grant, &limits("20s"))?;
    let script = json!([{"do": "call", "url": url}]);
    let first = host.client().request("POST", "/front/run").json(&script).start()?;
    let held = taken(&listener)?;
    deployed(&app, &host, "two", &grant, &limits("500ms"))?;
    let told = probe::one(&host.client(), "/front/run", &script[0])?;
    let detail = told["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("ConnectionLimitReached"), "the old version has the only place: {told}");
    // The old one's request ends, and the new one gets its place.
    drop((held, first));
    deployed(&app, &host, "three", &grant, &limits("20s"))?;
    let next = host.client().request("POST", "/front/run").json(&script).start()?;
    drop((taken(&listener)?, next));
    Ok(())
}

#[test]
fn cpu_time() -> anyhow::Result<()> {
    let used = |host: &Host| -> anyhow::Result<u64> {
        let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        Ok(told["components"][0]["cpu_used_ms"].as_u64().unwrap_or_default())
    };
    let app = App::of_text(&text("", "", ""))?;
    let host = app.host()?;
    for (mark, limits) in
        [("one", "cpu-rate = \"50%\""), ("two", "cpu-rate = \"50%\""), ("three", "cpu-rate = \"20%\"")]
    {
        let before = used(&host).unwrap_or(0);
        deployed(&app, &host, mark, "", limits)?;
        assert!(used(&host)? >= before, "it begins anew with {mark}");
        probe::must(&host.client(), "/front/run", &json!([{"do": "spin", "ms": 40}]))?;
        assert!(used(&host)? > before, "nothing was counted with {mark}");
    }
    Ok(())
}
