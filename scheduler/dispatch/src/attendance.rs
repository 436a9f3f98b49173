//! What the host itself does for a component on a serving thread: reading its requests, turning them away, writing its
//! answers. A component of which much is asked costs its neighbours that time, guests or not; so its share is charged.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;

/// A thread can be taken from its work at any moment: more than this is not the work's own time.
const POLL_LONGEST: Duration = Duration::from_millis(1);

thread_local! {
    static ATTENDED: RefCell<Option<Arc<Account>>> = const { RefCell::new(None) };
    static BY_GUESTS: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A task that serves requests, one component's after the other's: whose was the last one.
#[derive(Debug, Default)]
pub struct Attendance(Option<Arc<Account>>);

impl Attendance {
    /// What the running task does from now on is for this component.
    pub fn of(account: &Arc<Account>) {
        ATTENDED.with_borrow_mut(|attended| match attended {
            Some(known) if Arc::ptr_eq(known, account) => {}
            other => *other = Some(Arc::clone(account)),
        });
    }

    /// Poll the task, and charge what it takes beside guests.
    pub fn charge<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let outer = ATTENDED.replace(self.0.take());
        let guests_before = BY_GUESTS.get();
        let began = hull_clock::now();
        let result = poll();
        self.0 = ATTENDED.replace(outer);
        if let Some(account) = &self.0 {
            let ended = hull_clock::now();
            let by_guests = BY_GUESTS.get().saturating_sub(guests_before);
            let took = ended.saturating_duration_since(began).saturating_sub(by_guests);
            account.charge_attendance(ended, took.min(POLL_LONGEST));
        }
        result
    }
}

/// A guest ran for so long where its request is.
pub(crate) fn guest_ran(took: Duration) {
    BY_GUESTS.set(BY_GUESTS.get().saturating_add(took));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Attendance;
    use crate::{CpuBounds, RunOrder, RunQueue, Share};

    fn spin(time: Duration) {
        let until = hull_clock::now() + time;
        while hull_clock::now() < until {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn what_is_done_beside_guests_is_charged_to_the_share_and_to_nothing_else() {
        let queue = RunQueue::start(1, RunOrder::Fair, &tokio::runtime::Handle::current()).expect("threads");
        let share = Share::new(100);
        let account = queue.account(&share, CpuBounds::default());
        let mut attendance = Attendance::default();
        attendance.charge(|| spin(Duration::from_micros(100)));
        assert_eq!(share.used().to_nanos(), 0, "nobody is attended yet");
        attendance.charge(|| Attendance::of(&account));
        attendance.charge(|| {
            let mut inner = Attendance::default();
            inner.charge(|| spin(Duration::from_micros(10)));
            spin(Duration::from_micros(100));
            account.charge_in_place(hull_clock::now(), Duration::from_micros(60));
        });
        let used = share.used().to_nanos();
        // Two polls of a millisecond at the most.
        assert!((110_000..=2_060_000).contains(&used), "{used} ns");
        assert_eq!(account.used(), Duration::from_micros(60));
    }
}
