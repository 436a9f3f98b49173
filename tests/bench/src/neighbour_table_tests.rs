//! What the tables say about an attack that was kept off, one that was not, and one that could not be measured.

use std::time::Duration;

use super::{hull, native};
use crate::attacker::{Force, Used};
use crate::attacks::Attack;
use crate::neighbour::{Attacked, Row};
use crate::tally::Tally;
use crate::watch::Seen;

fn tally(latency_ms: u64, statuses: &[u16]) -> Tally {
    let mut tally = Tally::new(Duration::from_secs(2));
    for status in statuses {
        tally.sent += 1;
        tally.answered(*status, Duration::from_millis(latency_ms));
    }
    tally
}

fn attacked(victim: Tally) -> Attacked {
    Attacked {
        alone: tally(1, &[200]),
        victim,
        force: Force::Requests(tally(5, &[200, 503, 500]), Some(100.0)),
        used: Used { cpu_seconds: 3.0, events: 40.0, inside: 0.0 },
        seen: Seen { probes: 20, silent: 0, slowest: Duration::from_millis(2), resident_bytes_most: 90 << 20 },
        memory: (80 << 20, 85 << 20),
    }
}

#[test]
fn a_promise_kept_and_one_broken() {
    let rows = [
        Row { attack: Attack::Spin, outcome: Ok(attacked(tally(2, &[200, 200]))) },
        Row { attack: Attack::Memory, outcome: Ok(attacked(tally(9, &[200, 503]))) },
    ];
    let text = hull(Some(&tally(1, &[200])), &rows);
    assert!(text.contains("| none | 1.0"), "{text}");
    let spin = text.lines().find(|line| line.starts_with("| spin |")).expect("its row");
    let force = "of 100/s due 1.5/s sent, 0.5/s served, 0.5/s shed, 0.5/s failed, 20/s events | 1.50 | 2.000 ms";
    assert!(spin.contains(force), "{spin}");
    assert!(spin.ends_with("| 80, 90, 85 MiB | yes |"), "{spin}");
    let memory = text.lines().find(|line| line.starts_with("| memory |")).expect("its row");
    assert!(memory.contains("| 1 of 2 (status 503) |") && memory.ends_with("| **no**: errors, p99 |"), "{memory}");
    let columns = |line: &str| line.matches('|').count();
    assert!(text.lines().all(|line| columns(line) == columns(spin)), "{text}");
}

#[test]
fn a_failure_is_a_row_of_its_own() {
    let rows = [Row { attack: Attack::Storm, outcome: Err("a | b\nc".to_owned()) }];
    for text in [hull(None, &rows), native(&rows)] {
        let mut lines = text.lines().map(|line| line.matches('|').count());
        let columns = lines.next();
        assert!(lines.all(|count| Some(count) == columns), "{text}");
        assert!(text.contains("| storm | failed: a   b c |"), "{text}");
    }
}
