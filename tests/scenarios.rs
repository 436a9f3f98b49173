//! Runs every folder of `tests/scenarios` against the real binary.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hull_tests::{files, scenario};

/// Hosts at once.
const AT_ONCE: usize = 3;

#[test]
fn every_scenario_holds() {
    let scenarios = scenario::all(&files::project().join("tests/scenarios")).expect("scenarios");
    assert!(!scenarios.is_empty());
    let only = std::env::var("HULL_SCENARIO").unwrap_or_default();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !scenario.name().contains(&only) {
                        continue;
                    }
                    if let Err(error) = scenario.run() {
                        failures.lock().expect("not poisoned").push(format!("{}: {error:#}", scenario.name()));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("not poisoned");
    assert!(failures.is_empty(), "{} of {} failed:\n\n{}", failures.len(), scenarios.len(), failures.join("\n\n"));
}
