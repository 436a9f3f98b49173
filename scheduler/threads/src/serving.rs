//! The threads that serve everybody.

use std::io;
use std::num::NonZero;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads for what blocks: reads of embedded databases, names that are looked up, files. A component has a few of each at
/// once; more of these threads cost time at the start, and memory.
const BLOCKING_THREADS: usize = 64;
/// They stay.
const KEPT: Duration = Duration::from_secs(u64::MAX >> 32);

/// The machine has this long to make one more.
const MADE_WITHIN: Duration = Duration::from_secs(10);

/// The runtime, with so many threads for what does not block, or one for each processor. All threads that it will ever
/// have are made here, where nobody gives way: the runtime lets whoever needs one more make it. Fails where the machine
/// gives no more threads.
pub fn serving_runtime(threads: Option<NonZero<usize>>) -> io::Result<Runtime> {
    crate::priority::base()?;
    crate::making::start()?;
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.get());
    }
    builder.max_blocking_threads(BLOCKING_THREADS).thread_keep_alive(KEPT);
    let runtime = builder.enable_all().thread_name("hull").build()?;
    make_blocking_threads(&runtime)?;
    Ok(runtime)
}

fn make_blocking_threads(runtime: &Runtime) -> io::Result<()> {
    let (arrive, arrived) = mpsc::channel();
    let mut held = Vec::with_capacity(BLOCKING_THREADS);
    for _ in 0..BLOCKING_THREADS {
        let (hold, free) = mpsc::channel::<()>();
        let arrive = arrive.clone();
        held.push(hold);
        runtime.spawn_blocking(move || {
            // Each is held until the last is here, so that none takes a second task.
            if arrive.send(()).is_ok() {
                let _ = free.recv();
            }
        });
    }
    let late = |number| {
        let what = "threads could be made: raise the bound on them (`ulimit -u`, or `pids.max` of the control group)";
        io::Error::other(format!("only {number} of {BLOCKING_THREADS} {what}"))
    };
    (0..BLOCKING_THREADS).try_for_each(|number| arrived.recv_timeout(MADE_WITHIN).map_err(|_| late(number)))
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::serving_runtime;
    use crate::lower;

    #[test]
    fn what_blocks_is_done_at_full_priority_whoever_asks() {
        let niceness = || rustix::process::getpriority_process(None).expect("it has one");
        let before = niceness();
        let runtime = serving_runtime(NonZero::new(1)).expect("threads");
        let handle = runtime.handle().clone();
        let meek = std::thread::spawn(move || {
            lower(7);
            let asked: Vec<_> = (0..8).map(|_| handle.spawn_blocking(niceness)).collect();
            asked.into_iter().map(|asked| handle.block_on(asked).expect("it is told")).collect::<Vec<_>>()
        });
        assert_eq!(meek.join().expect("it does not panic"), vec![before; 8]);
    }
}
