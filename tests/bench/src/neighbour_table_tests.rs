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
        Row { attack: Attack::Spin, outcome: Ok(vec![attacked(tally(2, &[200, 200]))]) },
        Row { attack: Attack::Memory, outcome: Ok(vec![attacked(tally(9, &[200, 503]))]) },
    ];
    let text = hull(&[tally(1, &[200])], &rows);
    assert!(text.contains("| none | 1.0"), "{text}");
    let spin = text.lines().find(|line| line.starts_with("| spin |")).expect("its row");
    let force = "of 100/s due 1.5/s sent, 0.5/s served, 0.5/s shed, 0.5/s failed, 20/s events | 1.50 | 2.000 ms";
    assert!(spin.contains(force), "{spin}");
    assert!(spin.ends_with("| 80, 90, 85 MiB | yes |"), "{spin}");
    let memory = text.lines().find(|line| line.starts_with("| memory |")).expect("its row");
    assert!(
        memory.contains("| 1 of 2 (status 503) |") && memory.ends_with("| **no**: errors in 1 of 1, p99 in 1 of 1 |"),
        "{memory}"
    );
    let columns = |line: &str| line.matches('|').count();
    assert!(text.lines().all(|line| columns(line) == columns(spin)), "{text}");
}

#[test]
fn of_several_rounds_the_middle_one_counts_and_every_error() {
    let round = |latency_ms, statuses: &[u16], after_mib: u64, slowest_ms| Attacked {
        seen: Seen { slowest: Duration::from_millis(slowest_ms), ..attacked(tally(1, &[200])).seen },
        memory: (80 << 20, after_mib << 20),
        ..attacked(tally(latency_ms, statuses))
    };
    let rounds = vec![round(9, &[200], 99, 7), round(2, &[200], 84, 8), round(3, &[200], 85, 2)];
    let row = |rounds| hull(&[], &[Row { attack: Attack::Spin, outcome: Ok(rounds) }]);
    let text = row(rounds);
    let spin = text.lines().last().expect("its row");
    assert!(spin.contains(" (2.0–9.0) | 1.0"), "{spin}");
    assert!(spin.contains(" | 0 | ") && spin.contains("| 8.000 ms | 80, 90, 85 MiB | yes |"), "{spin}");
    let text = row(vec![round(2, &[200], 84, 60), round(2, &[200, 500], 85, 2), round(2, &[200], 99, 2)]);
    let spin = text.lines().last().expect("its row");
    assert!(
        spin.contains("| 1 of 4 (status 500) |") && spin.ends_with("| **no**: errors in 1 of 3, healthz in 1 of 3 |"),
        "{spin}"
    );
}

#[test]
fn a_failure_is_a_row_of_its_own() {
    let rows = [Row { attack: Attack::Storm, outcome: Err("a | b\nc".to_owned()) }];
    for text in [hull(&[], &rows), native(&rows)] {
        let mut lines = text.lines().map(|line| line.matches('|').count());
        let columns = lines.next();
        assert!(lines.all(|count| Some(count) == columns), "{text}");
        assert!(text.contains("| storm | failed: a   b c |"), "{text}");
    }
}
