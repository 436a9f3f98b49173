//! A timer among the sockets of a poll: the poll's own timeout is rounded up to whole milliseconds, which is more than
//! most answers take.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::Context as _;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// More wake-ups than this cost more than they tell; what is due meanwhile goes out together.
const PERIOD_MIN: Duration = Duration::from_micros(100);

/// Wakes the poll again and again, until it is dropped.
pub(crate) struct Ticker(OwnedFd);

impl Ticker {
    /// Wake every `period`, or less often if that is very short.
    pub(crate) fn start(period: Duration, registry: &Registry, token: Token) -> anyhow::Result<Self> {
        let period = period.max(PERIOD_MIN);
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags).context("cannot make a timer")?;
        let seconds = i64::try_from(period.as_secs()).unwrap_or(i64::MAX);
        let every = Timespec { tv_sec: seconds, tv_nsec: i64::from(period.subsec_nanos()) };
        let setting = Itimerspec { it_interval: every, it_value: every };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &setting).context("cannot set a timer")?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Take note of the ticks so far; the next one wakes again.
    pub(crate) fn taken(&self) {
        // How many there were does not matter, and none is no error.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}
