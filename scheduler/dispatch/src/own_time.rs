//! How much of the time that passes on a serving thread is its own. Reading a thread's CPU time is a system call, too
//! much for every slice of some microseconds; the time that passes costs little to read, but on a machine with more
//! to do than processors others run in it too. So one is corrected by the other, once in a while.

use std::cell::Cell;
use std::time::Duration;

/// How much may pass before the thread's CPU time is read again.
const EVERY: Duration = Duration::from_millis(2);
/// Whoever runs has at least such a part.
const LEAST: f64 = 0.05;

#[derive(Clone, Copy)]
struct OwnTime {
    part: f64,
    passed: Duration,
    cpu_before: Option<Duration>,
}

thread_local! {
    static OWN_TIME: Cell<OwnTime> = const { Cell::new(OwnTime { part: 1.0, passed: Duration::ZERO, cpu_before: None }) };
}

/// So much passed while this thread worked; how much of it was likely its own.
pub(crate) fn own_part_of(passed: Duration) -> Duration {
    let mut time = OWN_TIME.get();
    let own = passed.mul_f64(time.part);
    time.passed += passed;
    if time.passed >= EVERY {
        let cpu = hull_clock::thread_cpu();
        if let Some(before) = time.cpu_before {
            let part = cpu.saturating_sub(before).as_secs_f64() / time.passed.as_secs_f64();
            time.part = part.clamp(LEAST, 1.0);
        }
        time.cpu_before = Some(cpu);
        time.passed = Duration::ZERO;
    }
    OWN_TIME.set(time);
    own
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::own_part_of;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn time_in_which_others_ran_is_not_its_own() {
        assert_eq!(own_part_of(MS), MS, "nothing is known yet");
        // It is told of time that the thread has not worked in.
        for _ in 0..10 {
            own_part_of(100 * MS);
        }
        assert!(own_part_of(100 * MS) < 10 * MS);
    }

    #[test]
    fn time_of_a_thread_that_has_its_processor_is_its_own() {
        let mut own = Duration::ZERO;
        for _ in 0..20 {
            let before = hull_clock::thread_cpu();
            while hull_clock::thread_cpu() - before < MS {
                std::hint::spin_loop();
            }
            own += own_part_of(MS);
        }
        assert!(own >= 19 * MS, "{own:?} of 20 ms");
    }
}
