//! An app that is this host's before it serves: another host that has its data on no server cannot have it meanwhile.
//! Whatever becomes of its deployment, also if nobody waits for it any more, it is given back unless it serves.

use std::sync::Arc;

use hull_manifest::Name;
use tokio::runtime::Handle;

use crate::node::Node;

/// See the module.
pub(crate) struct Claim {
    app: Name,
    /// None once it is decided.
    node: Option<Arc<Node>>,
}

impl Claim {
    /// It is about to be claimed.
    pub(crate) fn new(node: &Arc<Node>, app: &Name) -> Self {
        Self { app: app.clone(), node: Some(Arc::clone(node)) }
    }

    /// It serves now.
    pub(crate) fn keep(mut self) {
        self.node = None;
    }

    /// Unless a revision of it serves, another host may have it. For those who have the turn to deploy.
    pub(crate) async fn give_back(mut self) {
        // If nobody waits for this either, what is dropped does it.
        if let Some(node) = self.node.clone() {
            node.release_unless_served(&self.app).await;
        }
        self.node = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let (Some(node), Ok(runtime)) = (self.node.take(), Handle::try_current()) else { return };
        let app = self.app.clone();
        runtime.spawn(async move {
            // Whoever deploys the app next has claimed it anew, and knows what becomes of that.
            let _turn = node.turn().await;
            node.release_unless_served(&app).await;
        });
    }
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
