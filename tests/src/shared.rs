//! One host for many tests: started by the first that asks, stopped when the last one has let it go.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::app::App;
use crate::host::Host;
use crate::http::Client;

/// An app and the host that runs it.
#[derive(Debug)]
pub struct Running {
    // Stopped before the app's files go.
    host: Host,
    app: App,
}

/// A host that tests share.
#[derive(Debug)]
pub struct Shared {
    make: fn() -> anyhow::Result<App>,
    running: Mutex<Weak<Running>>,
}

impl Running {
    /// Start an app.
    pub fn start(app: App) -> anyhow::Result<Self> {
        Ok(Self { host: app.up()?, app })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The app.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Requests to the gateway.
    pub fn client(&self) -> Client {
        self.host.client()
    }
}

impl Shared {
    /// Not started yet.
    pub const fn new(make: fn() -> anyhow::Result<App>) -> Self {
        Self { make, running: Mutex::new(Weak::new()) }
    }

    /// The host, for as long as the test keeps it.
    pub fn get(&self) -> anyhow::Result<Arc<Running>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(Running::start((self.make)()?)?);
        *running = Arc::downgrade(&started);
        Ok(started)
    }
}
