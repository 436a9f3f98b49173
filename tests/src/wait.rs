//! Waiting for a condition, with a bound.

use std::time::Duration;

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);
/// Long enough for a slow machine, short enough to end.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Look until there is something, for [`PATIENCE`] at the most.
pub fn until<T>(what: &str, look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    until_within(PATIENCE, what, look)
}

/// Look until there is something, for `limit` at the most.
pub fn until_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = hull_clock::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        anyhow::ensure!(hull_clock::now() < end, "waited {limit:?} in vain for {what}");
        std::thread::sleep(STEP);
    }
}
