//! What a thread does when it comes to rest: it gives back memory that it holds for later. The allocator leaves what is
//! freed, by whomever, with the thread that it was allocated on until that one allocates again, and one that has nothing to
//! do never does: a crowd of connections that has gone would be paid for until the next one comes. Serving threads and
//! guest threads do it; the others hold little. What the threads have in common, as the pools of sandboxes, is given back
//! by whoever waits for [`at_rest`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a thread waits for work before it asks for [`rest`]. The host is looked at as often.
pub const BEFORE_REST: Duration = Duration::from_secs(1);
/// A host that computes less than this in [`BEFORE_REST`] rests,
const REST_CPU_MAX: Duration = Duration::from_millis(50);
/// and one that computes as much has done more than look after itself: there may be something to give back.
const WORK_CPU_MIN: Duration = Duration::from_millis(5);
/// So often do its threads rest after work: the first time may have been too early for what others were still to free.
const RESTS: u32 = 3;

static WHEN_AT_REST: OnceLock<fn()> = OnceLock::new();
/// The host has come to rest.
static AT_REST: Notify = Notify::const_new();
/// The host computes more than it does at rest. Without a serving runtime nobody looks.
static IS_AT_WORK: AtomicBool = AtomicBool::new(false);

/// What each thread is to do when it comes to rest. To be called before there are any; the first call counts.
pub fn when_at_rest(work: fn()) {
    let _ = WHEN_AT_REST.set(work);
}

/// Until the host comes to rest the next time, for what is to be done then by one for all. It may do so three times after
/// work; a time that nobody waits for is missed. Without a serving runtime it never does. Dropping this loses nothing.
pub async fn at_rest() {
    AT_REST.notified().await;
}

/// This thread has nothing to do and may not have for a while. Does nothing while the host is at work, since what one thread
/// gives back others would take again; whether it did.
pub fn rest() -> bool {
    let rests = !IS_AT_WORK.load(Ordering::Relaxed);
    if rests && let Some(work) = WHEN_AT_REST.get() {
        work();
    }
    rests
}

/// Tell those who wait for it.
pub(crate) fn come_to_rest() {
    AT_REST.notify_waiters();
}

/// Tells when the host has come to rest.
pub(crate) struct Quiet {
    /// What the host had computed when it was last looked at.
    used: Duration,
    /// How often its threads are still to rest.
    left: u32,
}

impl Quiet {
    pub(crate) fn begin() -> Self {
        Self { used: hull_clock::process_cpu(), left: RESTS }
    }

    /// Until it is time for all threads to rest. Dropping this loses nothing.
    pub(crate) async fn next(&mut self) {
        loop {
            tokio::time::sleep(BEFORE_REST).await;
            if self.is_time(hull_clock::process_cpu()) {
                return;
            }
        }
    }

    /// They have; `used` is what the host has computed until now, since what they computed for it is no work.
    pub(crate) fn on_rest(&mut self, used: Duration) {
        self.left = self.left.saturating_sub(1);
        self.used = used;
    }

    /// Given what the host has computed until now.
    fn is_time(&mut self, used: Duration) -> bool {
        let done = used.saturating_sub(self.used);
        self.used = used;
        if done >= WORK_CPU_MIN {
            self.left = RESTS;
        }
        let is_at_work = done >= REST_CPU_MAX;
        IS_AT_WORK.store(is_at_work, Ordering::Relaxed);
        !is_at_work && self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Quiet, REST_CPU_MAX, RESTS, WORK_CPU_MIN};

    #[test]
    fn it_is_time_a_few_times_after_all_that_was_done() {
        const NANOSECOND: Duration = Duration::from_nanos(1);
        let mut used = Duration::from_secs(7);
        let mut quiet = Quiet { used, left: RESTS };
        let mut times_after = |does: Duration| {
            let mut times = 0;
            used += does;
            for _ in 0..RESTS * 2 {
                if quiet.is_time(used) {
                    used += WORK_CPU_MIN;
                    quiet.on_rest(used);
                    times += 1;
                }
            }
            times
        };
        assert_eq!(times_after(Duration::ZERO), RESTS, "as it begins");
        assert_eq!(times_after(WORK_CPU_MIN - NANOSECOND), 0, "it looked after itself");
        assert_eq!(times_after(WORK_CPU_MIN), RESTS);
        assert_eq!(times_after(REST_CPU_MAX), RESTS, "once it was at work no more");
    }

    #[test]
    fn it_is_no_time_while_it_works_and_one_that_was_missed_comes_again() {
        let mut used = Duration::ZERO;
        let mut quiet = Quiet { used, left: RESTS };
        for _ in 0..RESTS {
            used += REST_CPU_MAX;
            assert!(!quiet.is_time(used));
        }
        assert!((0..RESTS * 2).all(|_| quiet.is_time(used)), "as long as they have not");
    }
}
