//! Work that is done to its end although whoever asked for it has gone, and what a host that stops says of what it
//! gives up: that nothing was changed only where that is certain.

use std::sync::Arc;

use crate::deploy::Turn;
use crate::deployments::DeploymentError;
use crate::node::Node;

/// What is said of what a host that stops has not begun.
pub(crate) const NOTHING_CHANGED: &str = "the host is stopping; nothing was changed";
/// What is said of what it gave up: what is being switched on goes to its end.
const MAY_BE_COMMITTED: &str =
    "the host is stopping; this may be committed already, and serve after the next start: `hull history` tells";

/// A client that goes away must not leave a deployment half-way: it is done, whoever hears of it. Only a host that
/// stops gives up what waits for its turn or is still being prepared.
pub(crate) async fn to_its_end<T: Send + 'static, F>(
    node: &Arc<Node>,
    turn: impl Future<Output = Result<Turn, DeploymentError>> + Send + 'static,
    work: impl FnOnce(Turn) -> F + Send + 'static,
) -> Result<T, DeploymentError>
where
    F: Future<Output = Result<T, DeploymentError>> + Send + 'static,
{
    let node = Arc::clone(node);
    let done = tokio::spawn(async move {
        let turn = unless_stopping(&node, NOTHING_CHANGED, turn).await?;
        unless_stopping(&node, MAY_BE_COMMITTED, work(turn)).await
    });
    let done = done.await;
    done.unwrap_or_else(|error| Err(DeploymentError::Storage(format!("the deployment ended badly: {error}"))))
}

/// Give it up when the host stops, and say so in these words.
pub(crate) async fn unless_stopping<T>(
    node: &Node,
    given_up: &str,
    work: impl Future<Output = Result<T, DeploymentError>>,
) -> Result<T, DeploymentError> {
    let mut stopping = node.stopping();
    tokio::select! {
        // A turn that is free because the host has ended is none.
        biased;
        // An error is the end of the host.
        _ = stopping.wait_for(|is_stopping| *is_stopping) => Err(DeploymentError::Busy(given_up.to_owned())),
        done = work => done,
    }
}
