//! The tick that ends a guest's slice: a thread that advances both engines' epochs while guests run, and sleeps
//! while none do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

/// So many ticks without a guest, and the thread goes to sleep.
const IDLE_TICKS_MAX: u32 = 64;

/// Advances epochs until it is dropped.
pub(crate) struct Ticker {
    pulse: Arc<Pulse>,
    thread: Option<JoinHandle<()>>,
}

/// Keeps a ticker awake.
pub(crate) struct Pulse {
    shared: Shared,
    thread: OnceLock<Thread>,
}

#[derive(Default)]
struct Shared {
    /// A guest has been polled since the last tick.
    busy: AtomicBool,
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engines: Vec<wasmtime::Engine>, tick: Duration) -> std::io::Result<Self> {
        let pulse = Arc::new(Pulse { shared: Shared::default(), thread: OnceLock::new() });
        let run = {
            let pulse = Arc::clone(&pulse);
            move || pulse.shared.run(&engines, tick)
        };
        let thread = thread::Builder::new().name("hull-epoch".to_owned()).spawn(run)?;
        // It is set here for the first time.
        let _ = pulse.thread.set(thread.thread().clone());
        Ok(Self { pulse, thread: Some(thread) })
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }
}

impl Pulse {
    /// A guest is about to be polled: keep ticking. A guest that runs on is polled after every tick.
    pub(crate) fn keep_awake(&self) {
        if !self.shared.busy.load(Ordering::Relaxed) {
            self.shared.busy.store(true, Ordering::SeqCst);
        }
        if self.shared.asleep.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

impl Shared {
    fn run(&self, engines: &[wasmtime::Engine], tick: Duration) {
        let mut idle_ticks = 0;
        while !self.stop.load(Ordering::Acquire) {
            thread::sleep(tick);
            engines.iter().for_each(wasmtime::Engine::increment_epoch);
            if self.busy.swap(false, Ordering::SeqCst) {
                idle_ticks = 0;
                continue;
            }
            idle_ticks += 1;
            if idle_ticks >= IDLE_TICKS_MAX {
                self.sleep_until_busy();
                idle_ticks = 0;
            }
        }
    }

    /// `asleep` is set before `busy` is looked at, and `keep_awake` does it the other way round: one of them sees
    /// the other.
    fn sleep_until_busy(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while !self.busy.load(Ordering::SeqCst) && !self.stop.load(Ordering::Acquire) {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.pulse.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread does nothing that can fail; there is nothing to be told.
            let _ = thread.join();
        }
    }
}
