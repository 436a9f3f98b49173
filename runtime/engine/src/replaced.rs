//! What each component was before: whoever goes back, or forth again, finds its code mapped and linked, and waits for no
//! file. One version of each component is kept; code that nobody runs takes address space, and memory only as long as
//! nobody else wants that.

use std::collections::HashMap;
use std::sync::Arc;

use hull_invocation::{ComponentId, VersionId};
use parking_lot::Mutex;

use crate::deploy::{Linked, Version};

/// See the module.
#[derive(Default)]
pub(crate) struct Replaced(Mutex<HashMap<ComponentId, (VersionId, Linked)>>);

type Versions = HashMap<ComponentId, Arc<Version>>;

impl Replaced {
    /// What a component was before, if it was that.
    pub(crate) fn linked(&self, component: &ComponentId, id: VersionId) -> Option<Linked> {
        let kept = self.0.lock();
        kept.get(component).filter(|(kept, _)| *kept == id).map(|(_, linked)| linked.clone())
    }

    /// A revision of an app has taken another's place. Returns what is let go of for that: taking it apart is not for the
    /// serving threads.
    pub(crate) fn on_switch(&self, app: &str, before: &Versions, now: &Versions) -> Vec<Linked> {
        let mut kept = self.0.lock();
        let is_known = |component: &ComponentId| before.contains_key(component) || now.contains_key(component);
        let gone = kept.extract_if(|component, _| component.app() == app && !is_known(component));
        let mut left: Vec<Linked> = gone.map(|(_, (_, linked))| linked).collect();
        for (component, version) in before {
            if now.get(component).is_none_or(|now| now.id != version.id) {
                let older = kept.insert(component.clone(), (version.id, version.linked()));
                left.extend(older.map(|(_, linked)| linked));
            }
        }
        left
    }

    /// Nothing of an app serves any more.
    pub(crate) fn on_uninstall(&self, app: &str) -> Vec<Linked> {
        self.0.lock().extract_if(|component, _| component.app() == app).map(|(_, (_, linked))| linked).collect()
    }
}
