//! Every limit of the manifest through the real binary: what is just below it works, what is at it is refused with the
//! error that was promised, is counted as that and as nothing else, and is shown beside its bound. Limits that other
//! suites test already are in the table of docs/limits.md with the name of their test.

mod admission;
mod bodies;
mod calls;
mod compute;
mod downstream;
mod growth;
mod host;
mod messages;
mod outgoing;
mod storage;
mod told;
mod visible;

use std::sync::Arc;

use hull_tests::app::App;
use hull_tests::exchange::Exchange;
use hull_tests::http::Client;
use hull_tests::probe;
use hull_tests::shared::{Running, Shared};

/// The app that most tests share; each has components of its own in it.
const APP: &str = "limits";

static LIMITS: Shared = Shared::new(app);

fn app() -> anyhow::Result<App> {
    let downstream = downstream::downstream()?;
    let parts = [
        probe::application(APP),
        admission::manifest(),
        bodies::manifest(),
        calls::manifest(downstream),
        compute::manifest(),
        growth::manifest(),
        messages::manifest(downstream),
        outgoing::manifest(downstream),
        storage::manifest(),
        visible::manifest(),
    ];
    let app = App::of_text(&parts.concat())?;
    growth::write(&app)?;
    Ok(app)
}

/// The host that most tests share.
fn limits() -> anyhow::Result<Arc<Running>> {
    LIMITS.get()
}

/// A component whose `limits` table has these lines.
fn limited(name: &str, more: &str, hull: &str, limits: &str) -> String {
    probe::component(name, more, &format!("{hull}\n[component.{name}.tool.hull.limits]\n{limits}"))
}

/// A request whose guest waits inside for the rest of its body.
struct Held(Exchange);

impl Held {
    /// Sent, but not necessarily let in yet.
    fn start(client: &Client, component: &str) -> anyhow::Result<Self> {
        let request = client.request("POST", &format!("/{component}/upload")).header("transfer-encoding", "chunked");
        Ok(Self(request.start()?))
    }

    /// Let the guest go on to its end.
    fn finish(mut self) -> anyhow::Result<()> {
        self.0.send(b"0\r\n\r\n")?;
        let head = self.0.head()?;
        let body = String::from_utf8(self.0.body(&head)?)?;
        anyhow::ensure!(head.status == 200, "{} {body}", head.status);
        Ok(())
    }
}
