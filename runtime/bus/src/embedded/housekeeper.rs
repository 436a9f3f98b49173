//! The thread that writes consumers' places down, a little behind, forgets what all have settled, and has old events dropped.
//! Nobody waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::stream::Stream;

/// How often the streams are looked through for events that nobody needs any more.
const RETAIN_EVERY: Duration = Duration::from_secs(10);

/// How others tell the housekeeper that there is work.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default, Clone, Copy)]
struct State {
    changed: bool,
    stopping: bool,
}

impl Signal {
    /// Some consumer's place has changed.
    pub(super) fn changed(&self) {
        let mut state = self.state.lock();
        if !state.changed {
            state.changed = true;
            self.woken.notify_one();
        }
    }

    /// Write everything down for good, and end.
    pub(super) fn stop(&self) {
        self.state.lock().stopping = true;
        self.woken.notify_one();
    }

    /// Wait for a change, the end or `until`; take the change.
    fn wait(&self, until: Instant, for_changes: bool) -> State {
        let mut state = self.state.lock();
        while !(state.stopping || for_changes && state.changed) {
            if self.woken.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        let seen = *state;
        if for_changes {
            state.changed = false;
        }
        seen
    }
}

/// Until `stop`. `streams` gives the streams that are open at the moment.
pub(super) fn run(signal: &Signal, write: Duration, sync: Duration, streams: impl Fn() -> Vec<Arc<Stream>>) {
    let mut retain_at = hull_clock::now() + RETAIN_EVERY;
    let mut sync_at: Option<Instant> = None;
    loop {
        let wake_at = sync_at.map_or(retain_at, |at| at.min(retain_at));
        let mut state = signal.wait(wake_at, true);
        if state.changed && !state.stopping {
            // Acknowledgements that come together are written together.
            state = State { changed: true, ..signal.wait(hull_clock::now() + write, false) };
        }
        let now = hull_clock::now();
        let sync_now = state.stopping || sync_at.is_some_and(|at| at <= now);
        let mut owed = false;
        for stream in streams() {
            let consumers: Vec<_> = stream.shared.consumers.read().values().cloned().collect();
            for durable in consumers {
                owed |= durable.save(&stream.shared, sync_now);
            }
            stream.shared.forget_settled();
            if now >= retain_at {
                stream.ask_to_retain();
            }
        }
        if state.stopping {
            return;
        }
        if now >= retain_at {
            retain_at = now + RETAIN_EVERY;
        }
        sync_at = match sync_at {
            _ if !owed => None,
            Some(at) if at > now => Some(at),
            _ => Some(now + sync),
        };
    }
}
