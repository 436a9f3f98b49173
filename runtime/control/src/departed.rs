//! Components that are no more: what still runs of an older revision may call them, and is admitted to them as before.

use std::sync::{Arc, Weak};

use hull_dispatch::{Admission, Dispatch};
use hull_engine::Version;
use hull_invocation::ComponentId;
use hull_manifest::App;
use parking_lot::Mutex;

use crate::deploy::Deployed;

/// Those that somebody may still call.
#[derive(Default)]
pub(crate) struct Departed(Mutex<Vec<One>>);

struct One {
    id: ComponentId,
    /// Held by whatever runs of a revision that has it.
    version: Weak<Version>,
    admission: Admission,
}

impl Departed {
    /// Nothing of an app is admitted any more.
    pub(crate) fn forget(&self, app: &str) {
        self.0.lock().retain(|one| one.id.app() != app);
    }

    /// An app is switched on: who else of it is to be admitted.
    pub(crate) fn on_switch(
        &self,
        app: &App,
        before: Option<&Deployed>,
        dispatch: &Dispatch,
    ) -> Vec<(ComponentId, Admission)> {
        let mut departed = self.0.lock();
        let fresh = before.into_iter().flat_map(|before| &before.components).filter_map(|served| {
            let admission = dispatch.admission_of(&served.id)?;
            Some(One { id: served.id.clone(), version: Arc::downgrade(&served.version), admission })
        });
        departed.extend(fresh);
        departed.retain(|one| one.version.strong_count() > 0);
        let gone = |one: &&One| one.id.app() == app.name.as_str() && app.component(one.id.component()).is_none();
        let admitted = departed.iter().filter(gone).map(|one| (one.id.clone(), one.admission.clone())).collect();
        departed.retain(|one| one.id.app() != app.name.as_str() || app.component(one.id.component()).is_none());
        admitted
    }
}
