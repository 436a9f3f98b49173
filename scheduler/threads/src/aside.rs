//! Work that gives way: what a deployment reads, checks and computes is done beside what serves, on threads of their own at
//! a lower priority. On a serving thread, or beside it as its equal, it would keep requests waiting.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::lower;
use crate::processors::run_anywhere;

/// What these threads give way by: less than guests do, so that a deployment comes to its end on a busy host.
const NICENESS: i32 = 5;
/// More at once wait for a thread.
const THREADS_MAX: usize = 64;

/// Nothing runs in it but its threads that may block: they are made when there is none, and end when there is nothing to do.
static THREADS: OnceLock<io::Result<Runtime>> = OnceLock::new();

/// Do it on such a thread; it may block there. Dropping the future drops the work where it waits for something. Fails where
/// there is no thread, or if the work panics.
pub async fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let (mut done, result) = oneshot::channel();
    let serving = Handle::current();
    threads()?.spawn_blocking(move || {
        serving.block_on(async {
            let made = tokio::select! {
                () = done.closed() => None,
                made = work => Some(made),
            };
            // Whoever waited may have gone meanwhile.
            made.map(|made| done.send(made))
        });
    });
    result.await.map_err(|_| io::Error::other("its thread ended badly"))
}

fn threads() -> io::Result<&'static Runtime> {
    let made = THREADS.get_or_init(|| {
        let mut builder = Builder::new_current_thread();
        let begin = || {
            // A serving thread makes it.
            run_anywhere();
            give_way();
        };
        builder.thread_name("hull-aside").on_thread_start(begin).max_blocking_threads(THREADS_MAX).build()
    });
    made.as_ref().map_err(|error| io::Error::other(error.to_string()))
}

/// Have this thread give way by as much, for good.
pub fn give_way() {
    lower(NICENESS);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::aside;

    struct Tells(Arc<Notify>);

    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    #[tokio::test]
    async fn work_is_done_elsewhere_and_dropped_with_whoever_waits_for_it() {
        let here = std::thread::current().id();
        let there = aside(async { std::thread::current().id() }).await.expect("a thread");
        assert_ne!(here, there);
        assert!(aside(async { panic!("on purpose") }).await.map(|(): ()| ()).is_err());
        let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begins, held) = (Arc::clone(&begun), Tells(Arc::clone(&dropped)));
        let never = aside(async move {
            let _held = held;
            begins.notify_one();
            std::future::pending::<()>().await;
        });
        tokio::select! {
            _ = never => panic!("it never ends"),
            () = begun.notified() => {}
        }
        dropped.notified().await;
    }
}
