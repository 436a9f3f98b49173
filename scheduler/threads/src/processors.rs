//! Which processors a thread runs on. A thread begins with those of the one that makes it.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Those of the process when they were first asked for.
static ALLOWED: OnceLock<rustix::io::Result<CpuSet>> = OnceLock::new();

/// What the process may run on: the thread that asks first stands for it.
fn allowed() -> rustix::io::Result<CpuSet> {
    *ALLOWED.get_or_init(|| sched_getaffinity(None))
}

/// Each of them.
pub(crate) fn processors() -> rustix::io::Result<Vec<usize>> {
    let allowed = allowed()?;
    Ok((0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect())
}

/// Have this thread run on that processor alone. What cannot be done is logged.
pub(crate) fn stay_on(processor: usize) {
    let mut own = CpuSet::new();
    own.set(processor);
    if let Err(error) = sched_setaffinity(None, &own) {
        tracing::warn!(%error, processor, "a serving thread has no processor of its own");
    }
}

/// Have this thread run wherever the process may, whoever has made it. What cannot be done is logged.
pub(crate) fn run_anywhere() {
    // Where nobody has asked yet nobody stays anywhere.
    let Some(Ok(allowed)) = ALLOWED.get() else { return };
    if let Err(error) = sched_setaffinity(None, allowed) {
        tracing::warn!(%error, "a thread stays on the processor of the one that has made it");
    }
}

/// Where this thread may run.
#[cfg(test)]
pub(crate) fn own_processors() -> std::collections::BTreeSet<usize> {
    let own = sched_getaffinity(None).expect("it has some");
    (0..CpuSet::MAX_CPU).filter(|processor| own.is_set(*processor)).collect()
}

#[cfg(test)]
mod tests {
    use super::{own_processors, processors, run_anywhere, stay_on};

    #[test]
    fn who_is_made_by_one_that_stays_can_run_anywhere() {
        let all = own_processors();
        let each = processors().expect("they are told");
        assert_eq!(each.iter().copied().collect::<std::collections::BTreeSet<_>>(), all);
        let last = *each.last().expect("there is one");
        let staying = std::thread::spawn(move || {
            stay_on(last);
            let made = std::thread::spawn(|| {
                let before = own_processors();
                run_anywhere();
                (before, own_processors())
            });
            made.join().expect("it does not panic")
        });
        let (before, after) = staying.join().expect("it does not panic");
        assert_eq!(before.into_iter().collect::<Vec<_>>(), [last], "it begins where its maker stays");
        assert_eq!(after, all);
    }
}
