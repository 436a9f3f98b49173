//! Work that blocks and is waited for: reads of a database that take time, names that are looked up, the host's files. Its
//! threads are made when all there are have something to do, and the one that rested last takes the next work: a host that
//! needs few keeps few warm, and the others end. The runtime's own threads for what blocks are left to guests' files.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::making::order;

/// More work at once waits. A component has a few of each kind, so this is for all of some dozens at their most.
const THREADS_MAX: usize = 512;
/// A thread that rested for so long ends.
const KEPT: Duration = Duration::from_secs(10);

static POOL: LazyLock<Arc<Pool>> = LazyLock::new(|| Arc::new(Pool::new(THREADS_MAX, KEPT)));

/// Do it on a thread of full priority, whoever asks; it begins at once, whether or not the future is polled. Dropping the
/// future changes nothing for the work: whoever asks bounds how much of it there is until it ends. Fails if the work panics
/// or the machine gives no thread for it.
pub fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = io::Result<T>> + Send {
    POOL.begin(work)
}

type Work = Box<dyn FnOnce() + Send>;

struct Pool {
    state: Mutex<State>,
    threads_max: usize,
    kept: Duration,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    /// Each sleeps on its own, so that the last can be woken.
    resting: Vec<Arc<Condvar>>,
    threads: usize,
}

impl Pool {
    fn new(threads_max: usize, kept: Duration) -> Self {
        Self { state: Mutex::default(), threads_max, kept }
    }

    fn begin<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(
        self: &Arc<Self>,
        work: W,
    ) -> impl Future<Output = io::Result<T>> + Send + use<T, W> {
        let (done, result) = oneshot::channel();
        // Whoever waited may have gone.
        self.queue(Box::new(move || drop(done.send(work()))));
        async move { result.await.map_err(|_| io::Error::other("what blocks could not be done, or its thread panicked")) }
    }

    fn queue(self: &Arc<Self>, work: Work) {
        let mut state = self.state.lock();
        state.waiting.push_back(work);
        if let Some(last) = state.resting.pop() {
            drop(state);
            last.notify_one();
        } else if state.threads < self.threads_max {
            state.threads += 1;
            drop(state);
            let (pool, failing) = (Arc::clone(self), Arc::clone(self));
            order(
                "hull-blocking",
                move || pool.work(),
                move |made| {
                    if let Err(error) = made {
                        failing.fail(&error);
                    }
                },
            );
        }
    }

    /// A thread could not be made. Others do the work, if there are any.
    fn fail(&self, error: &io::Error) {
        tracing::warn!(%error, "no thread could be made for what blocks");
        let mut state = self.state.lock();
        state.threads -= 1;
        if state.threads == 0 {
            let refused = std::mem::take(&mut state.waiting);
            drop(state);
            drop(refused);
        }
    }

    fn work(&self) {
        let here = Arc::new(Condvar::new());
        let mut state = self.state.lock();
        loop {
            if let Some(work) = state.waiting.pop_front() {
                drop(state);
                // What it panics of is printed, and told to whoever waits by the channel that is dropped.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                state = self.state.lock();
                continue;
            }
            state.resting.push(Arc::clone(&here));
            let woken = !here.wait_for(&mut state, self.kept).timed_out();
            let rests = state.resting.iter().position(|resting| Arc::ptr_eq(resting, &here));
            if let Some(position) = rests {
                state.resting.remove(position);
                if !woken {
                    state.threads -= 1;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::Pool;
    use crate::lower;

    const LONG: Duration = Duration::from_secs(3600);

    /// So much work that holds its threads until the senders are dropped, when all of it has begun.
    fn hold(pool: &Arc<Pool>, number: usize) -> (Vec<mpsc::Sender<()>>, HashSet<thread::ThreadId>) {
        let (begin, begun) = mpsc::channel();
        let hold = |_| {
            let (free, held) = mpsc::channel();
            let begin = begin.clone();
            drop(pool.begin(move || {
                begin.send(thread::current().id()).expect("the test waits");
                let _ = held.recv();
            }));
            free
        };
        let held = (0..number).map(hold).collect();
        (held, begun.iter().take(number).collect())
    }

    fn all_rest(pool: &Pool) {
        let rest = || {
            let state = pool.state.lock();
            state.resting.len() == state.threads
        };
        while !rest() {
            thread::yield_now();
        }
    }

    #[tokio::test]
    async fn who_rested_last_works_next_and_a_panic_ends_nothing() {
        let pool = Arc::new(Pool::new(8, LONG));
        let (held, threads) = hold(&pool, 3);
        assert_eq!(threads.len(), 3);
        drop(held);
        all_rest(&pool);
        let mut same = HashSet::new();
        for _ in 0..20 {
            same.insert(pool.begin(|| thread::current().id()).await.expect("it is done"));
            all_rest(&pool);
        }
        assert_eq!(same.len(), 1, "one thread is enough for one after another");
        let panicked: io::Result<()> = pool.begin(|| panic!("on purpose")).await;
        assert!(panicked.is_err());
        all_rest(&pool);
        assert_eq!(pool.state.lock().threads, 3);
        assert!(same.contains(&pool.begin(|| thread::current().id()).await.expect("it is done")));
    }

    #[tokio::test]
    async fn there_are_so_many_threads_and_the_rest_waits() {
        let pool = Arc::new(Pool::new(2, LONG));
        let (held, threads) = hold(&pool, 2);
        let third = pool.begin(|| thread::current().id());
        assert_eq!(pool.state.lock().threads, 2);
        assert_eq!(pool.state.lock().waiting.len(), 1);
        drop(held);
        assert!(threads.contains(&third.await.expect("it is done")));
    }

    #[test]
    fn who_has_nothing_to_do_ends() {
        let pool = Arc::new(Pool::new(2, Duration::from_millis(1)));
        drop(hold(&pool, 2));
        while pool.state.lock().threads > 0 {
            thread::yield_now();
        }
        assert!(pool.state.lock().resting.is_empty());
    }

    #[tokio::test]
    async fn whoever_asks_it_is_done_at_full_priority() {
        let niceness = || rustix::process::getpriority_process(None).expect("it has one");
        let before = niceness();
        let pool = Arc::new(Pool::new(2, LONG));
        crate::making::start().expect("a maker");
        let asking = Arc::clone(&pool);
        let meek = thread::spawn(move || {
            lower(7);
            asking.begin(niceness)
        });
        assert_eq!(meek.join().expect("it does not panic").await.expect("it is done"), before);
    }
}
