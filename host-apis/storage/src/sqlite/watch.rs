//! A thread that looks at the connections which are at work, because SQLite asks by itself only between many steps of
//! its machine, and one step may be long. What it interrupts ends at its next step.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::control::Control;

/// How often it looks while anything is at work.
const EVERY: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Watch {
    working: Mutex<Vec<Arc<Control>>>,
    begun: Condvar,
}

static WATCH: LazyLock<Arc<Watch>> = LazyLock::new(|| {
    let watch = Arc::new(Watch::default());
    let watching = Arc::clone(&watch);
    let thread = hull_threads::spawn("hull-storage-watch", move || watching.run());
    if let Err(error) = thread {
        tracing::error!(%error, "no thread watches over long SQL statements: they may run past their time");
    }
    watch
});

/// Look at a connection until it is not at work.
pub(super) fn watch(control: Arc<Control>) {
    WATCH.working.lock().push(control);
    WATCH.begun.notify_one();
}

impl Watch {
    fn run(&self) {
        let mut looked_at = Vec::new();
        loop {
            let mut working = self.working.lock();
            while working.is_empty() && looked_at.is_empty() {
                self.begun.wait(&mut working);
            }
            looked_at.append(&mut working);
            drop(working);
            std::thread::sleep(EVERY);
            looked_at.retain(|control: &Arc<Control>| control.look());
        }
    }
}
