//! A host's place: the app with a state directory of its own, and the process that runs there, or none.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::host::Host;
use hull_tests::http::Client;

/// See the module. The process ends before its files go.
pub(super) struct Seat {
    pub(super) host: Option<Host>,
    pub(super) app: App,
}

impl Seat {
    /// With nobody in it.
    pub(super) fn new(app: App) -> Self {
        Self { host: None, app }
    }

    /// Start the host; where it is to be asked.
    pub(super) fn start(&mut self) -> anyhow::Result<Client> {
        let host = self.app.up().context("the host does not come back")?;
        let client = host.client();
        self.host = Some(host);
        Ok(client)
    }

    /// SIGKILL, if it runs; whether it did.
    pub(super) fn kill(&mut self) -> anyhow::Result<bool> {
        let Some(host) = self.host.take() else { return Ok(false) };
        let said = host.said();
        host.kill()?;
        self.note(&format!("{said}\nkilled"))?;
        Ok(true)
    }

    /// Tell it to stop, if it runs, and check that it does so well and in time.
    pub(super) fn stop(&mut self, limit: Duration) -> anyhow::Result<()> {
        let Some(mut host) = self.host.take() else { return Ok(()) };
        host.terminate()?;
        let status = host.ended(limit)?;
        self.note(&format!("{}\nstopped", host.said()))?;
        anyhow::ensure!(status.success(), "a host that was told to stop ended with {status}:\n{}", host.said());
        Ok(())
    }

    /// Write something into the log of what its hosts said.
    pub(super) fn note(&self, text: &str) -> anyhow::Result<()> {
        let path = self.app.folder().join("said.log");
        let mut log = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(writeln!(log, "{} {text}", hull_clock::rfc3339_now())?)
    }
}
