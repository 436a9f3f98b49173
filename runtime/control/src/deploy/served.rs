//! What serves: an app, its components, and where their invocations have their places.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hull_contracts::Contract;
use hull_dispatch::{Account, Compartment, Share};
use hull_engine::Version;
use hull_invocation::{ComponentId, Pinned};
use hull_manifest::{App, Name};
use hull_storage::Database;

use crate::deploy::component::WaysOut;
use crate::node::resources::DatabaseWatch;
use crate::routes::upstreams::ServedUpstream;

/// An app that serves.
#[derive(Clone)]
pub struct Deployed {
    /// Its manifest.
    pub app: Arc<App>,
    /// Its components, in the order of the manifest.
    pub components: Vec<Served>,
    /// Its upstreams.
    pub(crate) upstreams: Vec<ServedUpstream>,
    /// What pins an invocation to it.
    pub(crate) revision: Pinned,
    /// Where its invocations have their places.
    pub(crate) compartments: Compartments,
}

/// Compartments outlive a deployment: invocations of the version before have their places in them as well.
#[derive(Clone, Default)]
pub(crate) struct Compartments {
    pub(crate) bulkheads: BTreeMap<Name, Arc<Compartment>>,
    pub(crate) own: BTreeMap<Name, Arc<Compartment>>,
    pub(crate) upstreams: BTreeMap<Name, Arc<Compartment>>,
}

/// A component that serves.
#[derive(Clone)]
pub struct Served {
    /// Its name.
    pub id: ComponentId,
    /// Its version.
    pub version: Arc<Version>,
    /// Whose key has signed it, where the host asks for that.
    pub signed_by: Option<Name>,
    /// Its storage.
    pub database: Database,
    /// What its guests and statements are charged to.
    pub(crate) account: Arc<Account>,
    /// What bounds its ways out.
    pub(crate) ways_out: WaysOut,
    /// Who is told of its storage's work.
    pub(crate) watch: Arc<DatabaseWatch>,
    /// What it promises and relies on, where it ships a contract.
    pub(crate) contract: Option<Arc<Contract>>,
    /// The folder with its copy of `files`, whether there are any or not.
    pub(crate) files: PathBuf,
}

impl Deployed {
    /// One of its components.
    pub(crate) fn served(&self, name: &Name) -> Option<&Served> {
        self.components.iter().find(|served| served.id.component() == name.as_str())
    }

    /// What a bulkhead of it is charged to.
    pub(crate) fn share(&self, bulkhead: &Name) -> Option<&Arc<Share>> {
        let member = self.app.components.iter().find(|component| self.app.bulkhead_of(component).0 == *bulkhead)?;
        self.served(&member.name).map(|served| served.account.share())
    }
}
