//! Who has run lately, and how much of that was on the serving threads. Guests that end at once wait in no queue, and a
//! crowd of them could take the serving threads for itself: while guests keep those busy, whoever has used more than
//! others that are active goes to the run queue, quick or not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hull_admission::{Floor, Share};
use parking_lot::Mutex;

/// How often it is looked at.
const WINDOW: Duration = Duration::from_millis(5);
/// Who has run within this time is active.
const ACTIVE_FOR: Duration = Duration::from_millis(20);
/// The serving threads are busy with guests from so much of their time on.
const BUSY_PERCENT: u128 = 30;
/// How far an active share can fall behind the one that has used most: more is not saved up.
const CREDIT_MAX: Duration = Duration::from_millis(50);

/// No share is over this.
const NOBODY: u64 = u64::MAX;

pub(crate) struct Recent {
    threads: u128,
    window_began: AtomicU64,
    /// On serving threads, in this window, by all guests together; in nanoseconds.
    in_place: AtomicU64,
    /// Where a share starts that has not run for a while.
    lift: AtomicU64,
    /// What an active share has used that has used little, while it matters.
    least: AtomicU64,
    shares: Mutex<Vec<(Weak<Share>, Arc<AtomicU64>)>>,
}

/// When a share has run; kept beside it.
#[derive(Debug, Clone)]
pub(crate) struct Seen(Arc<AtomicU64>);

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Recent {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1) as u128,
            window_began: AtomicU64::new(0),
            in_place: AtomicU64::new(0),
            lift: AtomicU64::new(0),
            least: AtomicU64::new(NOBODY),
            shares: Mutex::default(),
        }
    }

    /// Another account of a share.
    pub(crate) fn join(&self, share: &Arc<Share>) -> Seen {
        let mut shares = self.shares.lock();
        shares.retain(|(known, _)| known.strong_count() > 0);
        let known = shares.iter().find(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(share)));
        if let Some((_, seen)) = known {
            return Seen(Arc::clone(seen));
        }
        let seen = Arc::new(AtomicU64::new(0));
        shares.push((Arc::downgrade(share), Arc::clone(&seen)));
        Seen(seen)
    }

    /// A slice is over, now, in nanoseconds since the queue began.
    pub(crate) fn on_slice(&self, now: u64, share: &Share, seen: &Seen, cpu: Duration, in_place: bool) {
        share.charge(Floor::from_nanos(self.lift.load(Ordering::Relaxed)), cpu);
        seen.0.store(now, Ordering::Relaxed);
        if in_place {
            self.in_place.fetch_add(nanos(cpu), Ordering::Relaxed);
        }
        let began = self.window_began.load(Ordering::Relaxed);
        let passed = now.saturating_sub(began);
        if passed >= nanos(WINDOW)
            && self.window_began.compare_exchange(began, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.look(now, passed);
        }
    }

    /// Whether others that are active have used less, and it matters.
    pub(crate) fn is_over(&self, share: &Share) -> bool {
        share.is_over(Floor::from_nanos(self.least.load(Ordering::Relaxed)))
    }

    fn look(&self, now: u64, passed: u64) {
        let in_place = self.in_place.swap(0, Ordering::Relaxed);
        let is_busy = u128::from(in_place) * 100 > u128::from(passed) * self.threads * BUSY_PERCENT;
        let since = now.saturating_sub(nanos(ACTIVE_FOR));
        let shares = self.shares.lock();
        let active = shares.iter().filter(|(_, seen)| seen.load(Ordering::Relaxed) >= since);
        let used: Vec<u64> =
            active.filter_map(|(share, _)| share.upgrade()).map(|share| share.used().to_nanos()).collect();
        drop(shares);
        let most = used.iter().copied().max().unwrap_or(0);
        let lift = most.saturating_sub(nanos(CREDIT_MAX));
        self.lift.fetch_max(lift, Ordering::Relaxed);
        let least = match used.iter().copied().min() {
            Some(least) if is_busy && used.len() > 1 => least.max(lift),
            _ => NOBODY,
        };
        self.least.store(least, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hull_admission::Share;

    use super::Recent;

    const MS: u64 = 1_000_000;

    fn slice(cpu_ms: u64) -> Duration {
        Duration::from_millis(cpu_ms)
    }

    #[test]
    fn alone_nobody_is_over() {
        let recent = Recent::new(1);
        let share = Share::new(100);
        let seen = recent.join(&share);
        for ms in 1..1000 {
            recent.on_slice(ms * MS, &share, &seen, slice(1), true);
            assert!(!recent.is_over(&share));
        }
    }

    #[test]
    fn who_takes_more_while_threads_are_busy_is_over() {
        let recent = Recent::new(1);
        let [greedy, modest] = [Share::new(100), Share::new(100)];
        let [greedy_seen, modest_seen] = [recent.join(&greedy), recent.join(&modest)];
        for ms in 1..100 {
            recent.on_slice(ms * MS, &greedy, &greedy_seen, slice(1), true);
            recent.on_slice(ms * MS, &modest, &modest_seen, Duration::from_micros(50), true);
        }
        assert!(recent.is_over(&greedy) && !recent.is_over(&modest));
        // In the queue it leaves the serving threads alone, and is still the one that takes more.
        for ms in 100..110 {
            recent.on_slice(ms * MS, &greedy, &greedy_seen, slice(1), false);
            recent.on_slice(ms * MS, &modest, &modest_seen, Duration::from_micros(500), true);
        }
        assert!(recent.is_over(&greedy));
        // Where nobody else is active it is over nothing.
        for ms in 200..250 {
            recent.on_slice(ms * MS, &greedy, &greedy_seen, slice(1), true);
        }
        assert!(!recent.is_over(&greedy));
    }

    #[test]
    fn threads_with_time_to_spare_are_everybodys() {
        let recent = Recent::new(2);
        let [greedy, modest] = [Share::new(100), Share::new(100)];
        let [greedy_seen, modest_seen] = [recent.join(&greedy), recent.join(&modest)];
        for ms in 1..1000 {
            recent.on_slice(ms * MS, &greedy, &greedy_seen, Duration::from_micros(500), true);
            recent.on_slice(ms * MS, &modest, &modest_seen, Duration::from_micros(5), true);
            assert!(!recent.is_over(&greedy));
        }
    }

    #[test]
    fn little_is_saved_up() {
        let recent = Recent::new(1);
        let [greedy, modest] = [Share::new(100), Share::new(100)];
        let [greedy_seen, modest_seen] = [recent.join(&greedy), recent.join(&modest)];
        for ms in 1..10_000 {
            recent.on_slice(ms * MS, &greedy, &greedy_seen, slice(1), true);
            recent.on_slice(ms * MS, &modest, &modest_seen, Duration::from_micros(1), true);
        }
        let behind = greedy.used().to_nanos() - modest.used().to_nanos();
        assert!(behind <= 60 * MS, "{behind} ns after ten seconds");
    }
}
