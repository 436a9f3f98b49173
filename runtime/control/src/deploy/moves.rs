//! A component whose data is to be somewhere else than before. What it had there is not taken along, and nobody would
//! relay what is still in the outbox there: events that were accepted, and are lost unless somebody notices.

use std::time::Duration;

use hull_invocation::ComponentId;
use hull_manifest::{App, Component};
use hull_storage::{ComponentDir, Database, DatabaseOptions};

use crate::deploy::prepare::Prepared;
use crate::deploy::reaching::Reaching;
use crate::error::ComponentProblem;
use crate::node::Node;

/// How long what serves may take to send out what is on its way.
const DRAIN_TIME: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Node {
    /// The databases that the component had and will not have: those that are open here, and the file on this host.
    pub(crate) fn left_behind(
        &self,
        id: &ComponentId,
        component: &Component,
        directory: &ComponentDir,
    ) -> Vec<Database> {
        let now = self.stores.server(component);
        let databases = self.databases.lock();
        let others = databases.iter().filter(|((of, server), _)| of == id && *server != now);
        let mut others: Vec<Database> = others.map(|(_, (database, _))| database.clone()).collect();
        let is_open = databases.contains_key(&(id.clone(), None));
        if now.is_some() && !is_open {
            others.push(Database::new(directory, DatabaseOptions::new(id.clone())));
        }
        others
    }

    /// Whether this host may work with the components' data, and nothing is left where it was before.
    pub(crate) async fn check_storage(
        &self,
        app: &App,
        prepared: &[Prepared],
        reaching: &Reaching<'_>,
    ) -> Result<(), Vec<ComponentProblem>> {
        let mut problems = Vec::new();
        for component in prepared {
            let name = component.served.id.component();
            let mut problem = |message: String| problems.push(ComponentProblem { component: name.to_owned(), message });
            let database = &component.served.database;
            if let Err(error) = reaching.reach(name, move || database.claim()).await {
                // The others' would be the same, each after a while.
                problem(error.to_string());
                return Err(problems);
            }
            for before in &component.left_behind {
                match waiting_in(before).await {
                    Ok(0) => {}
                    Ok(events) => problem(left(app, name, events, before)),
                    Err(error) => problem(format!("its data was somewhere else before, which cannot be read: {error}")),
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// How many events wait there for the bus, once what serves has had a moment to send them.
async fn waiting_in(database: &Database) -> Result<u64, hull_storage::StorageError> {
    let until = hull_clock::now() + DRAIN_TIME;
    // Nobody relays for one that is opened only to look.
    let is_served = database.is_open();
    loop {
        let events = database.statistics().await?.outbox_rows;
        if events == 0 || !is_served || hull_clock::now() >= until {
            if !is_served {
                database.close().await;
            }
            return Ok(events);
        }
        tokio::time::sleep_until((hull_clock::now() + LOOK_EVERY).into()).await;
    }
}

fn left(app: &App, component: &str, events: u64, database: &Database) -> String {
    let place = database.file().map_or_else(|| "PostgreSQL".to_owned(), |file| file.display().to_string());
    format!(
        "{events} events of {}/{component} wait in {place}, where its data was before, and would never go out. Let it run \
         with the storage that it had until its outbox is empty (`hull status`); events with a time of delivery wait \
         there too. If nobody needs them any more, move the file away",
        app.name
    )
}
