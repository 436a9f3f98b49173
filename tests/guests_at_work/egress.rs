//! The way out: only where spin.toml says, and a granted name does not open a private network.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hull_tests::app::App;
use hull_tests::probe;
use hull_tests::shared::Running;
use serde_json::{Value, json};

/// A server on this machine that answers everything and counts who came.
struct Server {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let visits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visits);
        // It ends with the process: nobody can wake it from waiting for the next visitor.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                counted.fetch_add(1, Ordering::SeqCst);
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\noutside");
            }
        });
        Ok(Self { port, visits })
    }
}

fn app(port: u16) -> anyhow::Result<App> {
    let granted = |host: &str| format!("allowed_outbound_hosts = [\"http://{host}:{port}\"]");
    let limits = |name: &str| format!("[component.{name}.tool.hull.limits]\noutbound = {{ time = \"4s\" }}");
    let mut text = probe::application("egress");
    for (name, more) in [
        ("any", granted("*")),
        ("addressed", granted("127.0.0.1")),
        ("networked", granted("127.0.0.0/8")),
        ("named", granted("localhost")),
        ("nothing", String::new()),
    ] {
        text += &probe::component(name, &more, &limits(name));
    }
    let granted = granted("127.0.0.1");
    text += &probe::component("async", &granted, &limits("async")).replace("{probe}", "{probe_p3}");
    App::of_text(&text)
}

#[test]
fn only_what_is_granted_is_reached() -> anyhow::Result<()> {
    let server = Server::start()?;
    let port = server.port;
    let running = Running::start(app(port)?)?;
    let client = running.client();
    let call = |component: &str, url: String| {
        probe::one(&client, &format!("/{component}/run"), &json!({"do": "call", "url": url}))
    };
    for (component, host) in [("addressed", "127.0.0.1"), ("networked", "127.0.0.1"), ("named", "localhost")] {
        let told = call(component, format!("http://{host}:{port}/"))?;
        assert_eq!(told, json!({"status": 200, "body": "outside"}), "{component}");
    }
    let told = client.get(&format!("/async/call?times=2&url=http://127.0.0.1:{port}/"))?.expect(200)?.json()?;
    assert_eq!(told[1]["body"], "outside", "{told}");

    let visits = server.visits.load(Ordering::SeqCst);
    let denied = |told: &Value, what: &str| {
        let detail = told["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("HttpRequestDenied"), "{what}: {told}");
    };
    denied(&call("nothing", format!("http://127.0.0.1:{port}/"))?, "no grant");
    denied(&call("addressed", format!("http://127.0.0.1:{}/", port ^ 1))?, "another port");
    denied(&call("addressed", format!("https://127.0.0.1:{port}/"))?, "another scheme");
    denied(&call("addressed", format!("http://localhost:{port}/"))?, "another name of the same");
    denied(&call("named", format!("http://127.0.0.1:{port}/"))?, "what the name leads to");
    let told = client.get(&format!("/async/call?url=http://localhost:{port}/"))?.expect(200)?.json()?;
    assert!(told[0]["error"].as_str().unwrap_or_default().contains("HttpRequestDenied"), "{told}");
    assert_eq!(server.visits.load(Ordering::SeqCst), visits, "a request that was denied went out");
    Ok(())
}

#[test]
fn a_granted_name_does_not_lead_into_a_private_network() -> anyhow::Result<()> {
    let server = Server::start()?;
    let port = server.port;
    let running = Running::start(app(port)?)?;
    let client = running.client();
    // Names for the resolver, all of them this machine: none is an address in a URL's own notation.
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned();
    for host in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        &machine,
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ] {
        let step = json!({"do": "call", "url": format!("http://{host}:{port}/")});
        let told = probe::one(&client, "/any/run", &step)?;
        assert!(told["error"].is_string(), "{host}: {told}");
    }
    let told = probe::one(&client, "/any/run", &json!({"do": "call", "url": format!("http://127.1:{port}/")}))?;
    assert!(told["detail"].as_str().unwrap_or_default().contains("DestinationIpProhibited"), "{told}");
    assert_eq!(server.visits.load(Ordering::SeqCst), 0);
    Ok(())
}

#[test]
fn sockets_are_closed_to_guests() -> anyhow::Result<()> {
    let server = Server::start()?;
    let running = Running::start(app(server.port)?)?;
    let step = json!({"do": "connect", "address": format!("127.0.0.1:{}", server.port)});
    for component in ["addressed", "nothing"] {
        let told = probe::one(&running.client(), &format!("/{component}/run"), &step)?;
        assert_eq!(told["error"], "io", "{told}");
    }
    assert_eq!(server.visits.load(Ordering::SeqCst), 0);
    Ok(())
}

#[test]
fn a_host_that_is_not_there_is_an_error_and_not_a_hang() -> anyhow::Result<()> {
    // A port that nobody listens on: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let running = Running::start(app(port)?)?;
    let step = json!({"do": "call", "url": format!("http://127.0.0.1:{port}/")});
    let told = probe::one(&running.client(), "/addressed/run", &step)?;
    assert!(told["detail"].as_str().unwrap_or_default().contains("ConnectionRefused"), "{told}");
    Ok(())
}
