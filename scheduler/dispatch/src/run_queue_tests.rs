//! The shell around the fair queue, with real threads and guests that use real CPU time.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use hull_admission::Share;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{RunOrder, RunQueue};
use crate::account::{Account, CpuBounds, SLICE_LONG};

fn queue(threads: usize) -> RunQueue {
    RunQueue::start(threads, RunOrder::Fair, &Handle::current()).expect("threads")
}

fn burn(cpu: Duration) {
    let until = hull_clock::thread_cpu() + cpu;
    while hull_clock::thread_cpu() < until {
        std::hint::spin_loop();
    }
}

/// Uses a slice at each poll and has always more to do, until told to stop.
fn spin(stop: &Arc<AtomicBool>, after_slice: impl Fn() + Send + 'static) -> impl Future<Output = ()> + Send + 'static {
    let stop = Arc::clone(stop);
    poll_fn(move |cx| {
        if stop.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        burn(Duration::from_micros(200));
        after_slice();
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// What two accounts have used when their guests, so many of each, have used `together`, and in how many slices. The test
/// waits without using the CPU: guests would give way to it.
async fn used_by(accounts: &[Arc<Account>; 2], guests: [usize; 2], together: Duration) -> ([f64; 2], [u32; 2]) {
    let stop = Arc::new(AtomicBool::new(false));
    let slices: [Arc<AtomicU32>; 2] = Default::default();
    let (sender, mut enough) = tokio::sync::mpsc::channel(1);
    let mut running = Vec::new();
    for ((account, slices), count) in accounts.iter().zip(&slices).zip(guests) {
        for _ in 0..count {
            let (accounts, slices, sender) = (accounts.clone(), Arc::clone(slices), sender.clone());
            let look = move || {
                slices.fetch_add(1, Ordering::Relaxed);
                let used = accounts.each_ref().map(|account| account.used());
                if used.iter().sum::<Duration>() >= together {
                    // Who is first tells it.
                    let _ = sender.try_send(used.map(|used| used.as_secs_f64()));
                }
            };
            running.push(account.run(spin(&stop, look)));
        }
    }
    let used = enough.recv().await.expect("guests that run");
    stop.store(true, Ordering::Relaxed);
    for guest in running {
        assert!(guest.await.is_some());
    }
    (used, slices.map(|slices| slices.load(Ordering::Relaxed)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cpu_goes_by_weight_and_is_charged() {
    let queue = queue(1);
    let accounts = [300, 100].map(|weight| queue.account(&Share::new(weight), CpuBounds::default()));
    // Many guests of the light share get no more than few would.
    let ([heavy, light], slices) = used_by(&accounts, [3, 40], Duration::from_millis(400)).await;
    assert!((2.5..3.5).contains(&(heavy / light)), "{heavy} to {light}");
    assert!(slices[0] > slices[1], "{slices:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_reserved_is_not_a_part_of_the_share() {
    let queue = queue(1);
    let bounds = [50, 0].map(|reserve| CpuBounds { rate: None, reserve });
    let accounts = bounds.map(|bounds| queue.account(&Share::new(100), bounds));
    let ([reserved, plain], _) = used_by(&accounts, [3, 3], Duration::from_millis(800)).await;
    // Half of the thread is its own and half of the rest its share: three to one, and more where the thread has not a
    // whole core.
    assert!(reserved / plain > 2.0, "{reserved} to {plain}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_quick_loses_the_privilege() {
    let queue = queue(1);
    let account = queue.account(&Share::new(100), CpuBounds::default());
    let began = hull_clock::now();
    assert!(account.may_run_in_place(began), "nothing is known against it");
    account.run(async { burn(SLICE_LONG * 2) }).await.expect("it ends");
    // The charge follows the end by a moment.
    while account.used() < SLICE_LONG {
        tokio::task::yield_now().await;
    }
    while account.may_run_in_place(began) {
        tokio::task::yield_now().await;
    }
    assert!(account.may_run_in_place(hull_clock::now() + Duration::from_secs(5)), "it gets it back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_delays_and_does_not_end() {
    let queue = queue(1);
    let account = queue.account(&Share::new(100), CpuBounds { rate: Some(1), reserve: 0 });
    let now = hull_clock::now();
    account.charge_in_place(now, Duration::from_millis(11));
    assert!(!account.may_run_in_place(now));
    account.run(async {}).await.expect("it runs when the debt is paid");
    assert!(hull_clock::now() - now >= Duration::from_millis(50), "a millisecond at 1 % takes a hundred");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_version_has_what_is_left_of_the_cap() {
    let queue = queue(1);
    let share = Share::new(100);
    let bounds = CpuBounds { rate: Some(1), reserve: 0 };
    let old = queue.account(&share, bounds);
    old.charge_in_place(hull_clock::now(), Duration::from_secs(1));
    for (percent, is_held) in [(Some(1), true), (Some(2), true), (None, false)] {
        let new = queue.account_after(&old, &share, CpuBounds { rate: percent, reserve: 0 });
        assert_eq!(new.may_run_in_place(hull_clock::now()), !is_held, "{percent:?}");
        assert_eq!(new.used(), old.used(), "what was used counts for both");
    }
    let new = queue.account_after(&old, &Share::new(100), bounds);
    new.charge_in_place(hull_clock::now(), Duration::from_secs(1));
    assert!(old.rate_used() > Some(1.0), "what the new one uses counts for the old one as well");
}

struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let told = self.0.take().map(|sender| sender.send(()));
        assert_eq!(told, Some(Ok(())));
    }
}

#[tokio::test]
async fn a_guest_that_nobody_waits_for_is_dropped() {
    let queue = queue(1);
    let account = queue.account(&Share::new(100), CpuBounds::default());
    let (sender, dropped) = oneshot::channel();
    let (started_sender, started) = oneshot::channel();
    let guest = Dropped(Some(sender));
    let running = account.run(async move {
        let _guest = guest;
        started_sender.send(()).expect("the test waits");
        pending::<()>().await;
    });
    started.await.expect("it runs");
    drop(running);
    dropped.await.expect("it is dropped");
}

#[tokio::test]
async fn a_panic_is_its_waiters_and_the_thread_goes_on() {
    let queue = queue(1);
    let account = queue.account(&Share::new(100), CpuBounds::default());
    let guest = account.run(async { panic!("a guest's own") });
    assert!(tokio::spawn(guest).await.is_err_and(|error| error.is_panic()));
    assert_eq!(account.run(async { 7 }).await, Some(7));
}

#[tokio::test]
async fn a_guest_thread_with_nothing_to_do_rests_and_works_again() {
    static TOLD: Mutex<Option<mpsc::Sender<ThreadId>>> = Mutex::new(None);
    let (tell, rested) = mpsc::channel();
    *TOLD.lock() = Some(tell);
    hull_threads::when_at_rest(|| {
        // Whoever listened may have gone.
        TOLD.lock().as_ref().map(|tell| tell.send(thread::current().id()));
    });
    let queue = RunQueue::without_relief(1, RunOrder::Fair, &Handle::current()).expect("a thread");
    let account = queue.account(&Share::new(100), CpuBounds::default());
    for _ in 0..2 {
        let here = account.run(async { thread::current().id() }).await.expect("it runs");
        while rested.recv_timeout(Duration::from_secs(30)).expect("it rests") != here {}
    }
}

#[tokio::test]
async fn what_is_left_ends_with_the_queue() {
    let queue = queue(2);
    let account = queue.account(&Share::new(100), CpuBounds::default());
    let stop = Arc::new(AtomicBool::new(false));
    let spinning = account.run(spin(&stop, || {}));
    drop(queue);
    assert_eq!(spinning.await, None);
    assert_eq!(account.run(async { 7 }).await, None, "and nothing begins after it");
}

#[tokio::test]
async fn guests_find_the_runtime() {
    let queue = queue(1);
    let account = queue.account(&Share::new(100), CpuBounds::default());
    let slept = account.run(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        tokio::spawn(async { 7 }).await.ok()
    });
    assert_eq!(slept.await, Some(Some(7)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_no_thread_comes_to_are_relieved() {
    let queue = queue(1);
    let account = queue.account(&Share::new(100), CpuBounds::default());
    let here = || std::thread::current().name().map(str::to_owned);
    let (release, holder) = loop {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (began, has_begun) = oneshot::channel();
        let holder = account.run(async move {
            assert!(began.send(here()).is_ok());
            wait.recv()
        });
        // On a busy machine the other thread may be the first to come.
        if has_begun.await.expect("it begins").as_deref() == Some("hull-guest-0") {
            break (release, holder);
        }
    };
    for _ in 0..100 {
        let ran_by = account.run(async move { here() }).await;
        assert_eq!(ran_by.flatten().as_deref(), Some("hull-relief"));
    }
    release.send(()).expect("it waits");
    assert_eq!(holder.await, Some(Ok(())));
    // Now the guest thread is as near as the other one, and the other one lets it.
    let mut ran_by = None;
    while ran_by.as_deref() != Some("hull-guest-0") {
        ran_by = account.run(async move { here() }).await.flatten();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_makes_no_progress_stands_back_for_the_relief() {
    let queue = queue(1);
    let account = queue.account(&Share::new(100), CpuBounds::default());
    let here = || std::thread::current().name().map(str::to_owned);
    let stuck = || {
        account.run(async move {
            std::thread::sleep(Duration::from_millis(120));
            here()
        })
    };
    let mut began = hull_clock::now();
    while stuck().await.flatten().as_deref() != Some("hull-guest-0") {
        began = hull_clock::now();
    }
    let capped = queue.account(&Share::new(100), CpuBounds { rate: Some(1), reserve: 0 });
    capped.charge_in_place(hull_clock::now(), Duration::from_millis(11));
    for account in [&account, &capped] {
        let ran_by = account.run(async move { here() }).await.flatten();
        // On a machine that is too busy for a second, it is over meanwhile.
        assert!(ran_by.as_deref() == Some("hull-relief") || began.elapsed() >= Duration::from_secs(1), "{ran_by:?}");
    }
}
