//! The threads that serve everybody.

use std::io;
use std::num::NonZero;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::blocking;
use crate::processors::{processors, stay_on};
use crate::rest::{Quiet, come_to_rest, rest};

/// Threads for what guests do with their files, in the runtime's own ways. They are used in turn, so that each keeps memory,
/// and a guest can hold all of them; what else blocks and is waited for has [`blocking`](crate::blocking).
const BLOCKING_THREADS: usize = 16;
/// They stay.
const KEPT: Duration = Duration::from_secs(u64::MAX >> 32);

/// The machine has this long to make them, or to have each of them come by.
const MADE_WITHIN: Duration = Duration::from_secs(10);
/// Serving threads that rest wait so long for each other at the most. Whoever comes meanwhile waits as well.
const MET_WITHIN: Duration = Duration::from_millis(2);

/// The runtime, with so many threads for what does not block, or one for each processor. All threads that it will ever
/// have are made here, where nobody gives way: the runtime lets whoever needs one more make it. Where there is one for each
/// processor, it stays there: the kernel puts two of them on one processor, and leaves them there, while the other one runs
/// what gives way. Fails where the machine gives no more threads.
pub fn serving_runtime(threads: Option<NonZero<usize>>) -> io::Result<Runtime> {
    crate::priority::base()?;
    crate::making::start()?;
    // Where the kernel does not tell they run anywhere.
    let processors = processors().unwrap_or_default();
    let number = threads.map_or_else(std::thread::available_parallelism, Ok)?.get();
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(number).max_blocking_threads(BLOCKING_THREADS).thread_keep_alive(KEPT);
    let runtime = builder.enable_all().thread_name("hull").build()?;
    make_blocking_threads(&runtime)?;
    if processors.len() == number {
        place(&runtime, &processors);
    }
    runtime.spawn(rest_when_quiet(number));
    Ok(runtime)
}

fn make_blocking_threads(runtime: &Runtime) -> io::Result<()> {
    let made = on_each(BLOCKING_THREADS, MADE_WITHIN, |_, wait| drop(runtime.spawn_blocking(wait)));
    made.map_err(|made| {
        let what = "threads could be made: raise the bound on them (`ulimit -u`, or `pids.max` of the control group)";
        io::Error::other(format!("only {made} of {BLOCKING_THREADS} {what}"))
    })
}

/// Have every serving thread rest whenever the host has come to rest: one that sleeps is woken for it.
async fn rest_when_quiet(number: usize) {
    let mut quiet = Quiet::begin();
    loop {
        quiet.next().await;
        come_to_rest();
        let serving = Handle::current();
        let rest_each = move || {
            on_each(number, MET_WITHIN, |_, wait| {
                serving.spawn(async move {
                    rest();
                    wait();
                });
            })
        };
        // Where one has something to do after all, or none can be had to wait for them, it is tried again.
        if let Ok(Ok(())) = blocking(rest_each).await {
            quiet.on_rest(hull_clock::process_cpu());
        }
    }
}

/// Have each serving thread stay on a processor of its own.
fn place(runtime: &Runtime, processors: &[usize]) {
    let placed = on_each(processors.len(), MADE_WITHIN, |place, wait| {
        let own = processors.get(place).copied();
        runtime.spawn(async move {
            own.into_iter().for_each(stay_on);
            wait();
        });
    });
    if let Err(placed) = placed {
        tracing::warn!(placed, "not every serving thread has a processor of its own");
    }
}

/// Begin something on so many threads; each is to wait there, so that none takes a second one before the last is here or it
/// took too long. Fails with the number of those that have come.
fn on_each(number: usize, within: Duration, begin: impl Fn(usize, Box<dyn FnOnce() + Send>)) -> Result<(), usize> {
    let (arrive, arriving) = mpsc::channel();
    let mut held = Vec::with_capacity(number);
    for place in 0..number {
        let (hold, free) = mpsc::channel::<()>();
        let arrive = arrive.clone();
        held.push(hold);
        let wait = move || {
            if arrive.send(()).is_ok() {
                let _ = free.recv();
            }
        };
        begin(place, Box::new(wait));
    }
    let until = hull_clock::now() + within;
    let next = |come| {
        let left = until.saturating_duration_since(hull_clock::now());
        arriving.recv_timeout(left).map_err(|_| come)
    };
    (0..number).try_for_each(next)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::num::NonZero;
    use std::sync::{Arc, Barrier, mpsc};
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::runtime::Runtime;

    use super::serving_runtime;
    use crate::processors::own_processors;
    use crate::{lower, when_at_rest};

    /// More than the host is busy for with other tests.
    const LONG: Duration = Duration::from_secs(60);

    fn runtime(threads: usize) -> Runtime {
        serving_runtime(NonZero::new(threads)).expect("threads")
    }

    /// What so many of the serving threads say, all at once.
    fn asked_of_each<T: Send + 'static>(number: usize, runtime: &Runtime, ask: fn() -> T) -> Vec<T> {
        let here = Arc::new(Barrier::new(number));
        let ask_one = |_| {
            let here = Arc::clone(&here);
            runtime.spawn(async move {
                here.wait();
                ask()
            })
        };
        let asked: Vec<_> = (0..number).map(ask_one).collect();
        runtime.block_on(async {
            let mut told = Vec::new();
            for asked in asked {
                told.push(asked.await.expect("it is told"));
            }
            told
        })
    }

    #[test]
    fn each_serving_thread_has_a_processor_of_its_own() {
        let all = own_processors();
        let told = asked_of_each(all.len(), &runtime(all.len()), own_processors);
        assert!(told.iter().all(|own| own.len() == 1), "{told:?}");
        assert_eq!(told.into_iter().flatten().collect::<BTreeSet<_>>(), all);
    }

    #[test]
    fn where_they_are_not_as_many_as_processors_they_run_anywhere() {
        let all = own_processors();
        assert_eq!(asked_of_each(1, &runtime(all.len() + 1), own_processors), [all]);
    }

    #[test]
    fn each_serving_thread_rests_when_the_host_has_come_to_rest() {
        static TOLD: Mutex<Option<mpsc::Sender<ThreadId>>> = Mutex::new(None);
        const THREADS: usize = 3;
        let (tell, rested) = mpsc::channel();
        *TOLD.lock() = Some(tell);
        when_at_rest(|| {
            // Whoever listened may have gone.
            TOLD.lock().as_ref().map(|tell| tell.send(thread::current().id()));
        });
        let runtime = runtime(THREADS);
        let mut missing = asked_of_each(THREADS, &runtime, || thread::current().id());
        while !missing.is_empty() {
            let rested = rested.recv_timeout(LONG).expect("they rest, all of them");
            missing.retain(|thread| *thread != rested);
        }
    }

    #[test]
    fn what_blocks_is_done_at_full_priority_whoever_asks() {
        let niceness = || rustix::process::getpriority_process(None).expect("it has one");
        let before = niceness();
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        let meek = thread::spawn(move || {
            lower(7);
            let asked: Vec<_> = (0..8).map(|_| handle.spawn_blocking(niceness)).collect();
            asked.into_iter().map(|asked| handle.block_on(asked).expect("it is told")).collect::<Vec<_>>()
        });
        assert_eq!(meek.join().expect("it does not panic"), vec![before; 8]);
    }
}
