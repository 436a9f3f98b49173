//! Shares on threads that are as busy as the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hull_admission::Share;

use super::{Place, Recent, Seen, Slice};

/// Threads that are busy for as long as the test says.
struct Served {
    recent: Recent,
    busy_us: Arc<AtomicU64>,
    now_us: u64,
}

struct One {
    share: Arc<Share>,
    seen: Seen,
}

impl Served {
    fn new() -> Self {
        let busy_us = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&busy_us);
        let busy = Box::new(move || Duration::from_micros(told.load(Ordering::Relaxed)));
        Self { recent: Recent::new(1, busy), busy_us, now_us: 0 }
    }

    fn join(&self) -> One {
        let share = Share::new(100);
        let seen = self.recent.join(&share);
        One { share, seen }
    }

    /// A millisecond passes, of which so much was busy; these used it.
    fn pass(&mut self, busy_percent: u64, used: &[(&One, u64)]) {
        self.now_us += 1000;
        self.busy_us.fetch_add(busy_percent * 10, Ordering::Relaxed);
        for (one, used_us) in used {
            self.used(one, *used_us, Place::Here);
        }
    }

    fn used(&self, one: &One, used_us: u64, place: Place) {
        let cpu = Duration::from_micros(used_us);
        self.recent.on_slice(self.now_us * 1000, &one.share, &one.seen, Slice { cpu, charged: cpu, place });
    }

    fn is_over(&self, one: &One) -> bool {
        self.recent.is_over(&one.share)
    }
}

#[test]
fn alone_nobody_is_over() {
    let mut served = Served::new();
    let one = served.join();
    for _ in 1..1000 {
        served.pass(100, &[(&one, 1000)]);
        assert!(!served.is_over(&one));
    }
}

#[test]
fn who_takes_more_while_threads_are_busy_is_over() {
    let mut served = Served::new();
    let (greedy, modest) = (served.join(), served.join());
    for _ in 1..100 {
        served.pass(100, &[(&greedy, 900), (&modest, 50)]);
    }
    assert!(served.is_over(&greedy) && !served.is_over(&modest));
    // In the queue it leaves the serving threads alone, and would not if it came back.
    for _ in 1..1000 {
        served.pass(10, &[(&modest, 50)]);
        served.used(&greedy, 900, Place::Queue);
        assert!(served.is_over(&greedy));
    }
    // Where nobody else is active it is over nothing.
    for _ in 1..50 {
        served.pass(100, &[(&greedy, 1000)]);
    }
    assert!(!served.is_over(&greedy));
}

/// What the threads do beside guests counts as well: connections, heads, bodies.
#[test]
fn guests_need_not_be_what_the_threads_are_busy_with() {
    let mut served = Served::new();
    let (greedy, modest) = (served.join(), served.join());
    for _ in 1..100 {
        served.pass(95, &[(&greedy, 100), (&modest, 20)]);
    }
    assert!(served.is_over(&greedy) && !served.is_over(&modest));
}

#[test]
fn threads_with_time_to_spare_are_everybodys() {
    let mut served = Served::new();
    let (greedy, modest) = (served.join(), served.join());
    for _ in 1..1000 {
        served.pass(30, &[(&greedy, 500), (&modest, 5)]);
        assert!(!served.is_over(&greedy));
    }
}

#[test]
fn threads_that_tell_late_what_they_did_are_busy_all_the_same() {
    let mut served = Served::new();
    let (greedy, modest) = (served.join(), served.join());
    for ms in 1..1000 {
        let told = if ms % 20 == 0 { 2000 } else { 0 };
        served.pass(told, &[(&greedy, 500), (&modest, 5)]);
        assert!(ms < 200 || !served.is_over(&modest));
    }
    assert!(served.is_over(&greedy));
}

#[test]
fn little_is_saved_up() {
    let mut served = Served::new();
    let (greedy, modest) = (served.join(), served.join());
    for _ in 1..10_000 {
        served.pass(100, &[(&greedy, 1000), (&modest, 1)]);
    }
    let behind = greedy.share.used().to_nanos() - modest.share.used().to_nanos();
    assert!(behind <= 60_000_000, "{behind} ns after ten seconds");
}

#[test]
fn who_comes_starts_where_others_are() {
    let mut served = Served::new();
    let (here, comes) = (served.join(), served.join());
    for _ in 1..1000 {
        served.pass(100, &[(&here, 700)]);
    }
    for _ in 1..20 {
        served.pass(100, &[(&here, 350), (&comes, 400)]);
        assert!(!served.is_over(&here), "it has nothing to wait for");
    }
    for _ in 1..200 {
        served.pass(100, &[(&here, 350), (&comes, 400)]);
    }
    assert!(served.is_over(&comes));
}
