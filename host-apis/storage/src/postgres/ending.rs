//! Ends statements that are over. PostgreSQL's own timeouts are settings that a guest's function can change, so the host
//! keeps the time and asks the server to cancel.

use std::sync::Arc;
use std::time::Duration;

use hull_invocation::CountRejected;

use super::failure::CANCELLED;
use super::link::Link;
use crate::allowance::Allowance;
use crate::error::StorageError;

/// How long the server may take to end a statement, before the connection is given up.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Run `work` until its allowance is over; then have the server end it, and wait for that.
pub(super) async fn allowed<R>(
    allowance: &Allowance,
    link: &Link,
    rejected: Option<&Arc<dyn CountRejected>>,
    work: impl Future<Output = Result<R, StorageError>>,
) -> Result<R, StorageError> {
    tokio::pin!(work);
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = allowance.over() => {}
    }
    let reason = allowance.error();
    let ending = async {
        let (result, ()) = tokio::join!(&mut work, link.cancel());
        result
    };
    let Ok(result) = tokio::time::timeout(CANCEL_TIME, ending).await else {
        link.break_off();
        return Err(reason);
    };
    match result {
        Err(StorageError::Timeout(text)) if text.ends_with(CANCELLED) => {
            if let (Some(resource), Some(rejected)) = (allowance.resource(), rejected) {
                rejected.rejected(resource);
            }
            // What was said of where it happened stays.
            Err(StorageError::Timeout(text.replace(CANCELLED, &reason.to_string())))
        }
        // It came to its own end first.
        other => other,
    }
}
