//! Components and upstreams that are no more: what still runs of an older revision may call them, and is admitted to them
//! as before.

use std::any::Any;
use std::sync::{Arc, Weak};

use hull_dispatch::{Admission, Dispatch};
use hull_invocation::ComponentId;
use hull_manifest::App;
use parking_lot::Mutex;

use crate::deploy::{Deployed, has};

/// Those that somebody may still call.
#[derive(Default)]
pub(crate) struct Departed(Mutex<Vec<One>>);

/// What answers: a version, or the client of an upstream.
type Held = dyn Any + Send + Sync;

struct One {
    id: ComponentId,
    /// Held by whatever runs of a revision that has it.
    answers: Weak<Held>,
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
        let held = |answers: Arc<Held>| Arc::downgrade(&answers);
        let components = before.into_iter().flat_map(|before| &before.components);
        let components = components.map(|served| (&served.id, held(Arc::clone(&served.version) as Arc<Held>)));
        let upstreams = before.into_iter().flat_map(|before| &before.upstreams);
        let upstreams = upstreams.map(|served| (&served.id, held(Arc::clone(&served.answers) as Arc<Held>)));
        let fresh = components.chain(upstreams).filter_map(|(id, answers)| {
            let admission = dispatch.admission_of(id)?;
            Some(One { id: id.clone(), answers, admission })
        });
        departed.extend(fresh);
        departed.retain(|one| one.answers.strong_count() > 0);
        let gone = |one: &&One| one.id.app() == app.name.as_str() && !has(app, &one.id);
        let admitted = departed.iter().filter(gone).map(|one| (one.id.clone(), one.admission.clone())).collect();
        departed.retain(|one| one.id.app() != app.name.as_str() || !has(app, &one.id));
        admitted
    }
}
