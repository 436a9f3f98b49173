//! The cursor against a model, from a printed seed, and its rules one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Cursor, Picked, Terms};
use crate::embedded::ranges::Ranges;

const WAIT: Duration = Duration::from_secs(30);

fn terms(max: usize, in_flight_max: usize, last: u64) -> Terms {
    Terms { max, in_flight_max, last, ack_wait: WAIT }
}

fn sequences(picked: &[Picked]) -> Vec<u64> {
    picked.iter().map(|picked| picked.sequence).collect()
}

#[test]
fn only_matching_events_are_picked_and_others_settled() {
    let mut cursor = Cursor::new(Ranges::default(), 1);
    let pick = cursor.pick(hull_clock::now(), terms(10, 10, 6), |sequence| sequence % 2 == 0);
    assert_eq!(sequences(&pick.picked), [2, 4, 6]);
    assert_eq!(cursor.floor(), 1);
    for sequence in [6, 2, 4] {
        assert!(cursor.ack(sequence));
        assert!(!cursor.ack(sequence), "no news");
    }
    assert_eq!((cursor.floor(), cursor.in_flight()), (6, 0));
}

#[test]
fn what_is_not_acknowledged_comes_again_and_counts() {
    let start = hull_clock::now();
    let mut cursor = Cursor::new(Ranges::default(), 1);
    let first = cursor.pick(start, terms(10, 10, 1), |_| true).picked;
    assert!(cursor.pick(start + WAIT / 2, terms(10, 10, 1), |_| true).picked.is_empty());
    assert_eq!(cursor.next_due(), Some(start + WAIT));
    let second = cursor.pick(start + WAIT, terms(10, 10, 1), |_| true).picked;
    assert_eq!((second[0].sequence, second[0].deliveries, cursor.redelivered()), (1, 2, 1));
    cursor.nak(1, first[0].token, start);
    assert!(cursor.pick(start + WAIT, terms(10, 10, 1), |_| true).picked.is_empty(), "a stale nak does nothing");
    cursor.extend(1, second[0].token, start + WAIT * 5);
    assert!(cursor.pick(start + WAIT * 4, terms(10, 10, 1), |_| true).picked.is_empty(), "still in progress");
    assert!(cursor.ack(1), "the ack of any delivery is good");
    assert!(cursor.pick(start + WAIT * 9, terms(10, 10, 1), |_| true).picked.is_empty());
}

#[test]
fn a_nak_waits_and_keeps_its_place_in_flight() {
    let start = hull_clock::now();
    let mut cursor = Cursor::new(Ranges::default(), 1);
    let picked = cursor.pick(start, terms(1, 1, 3), |_| true).picked;
    cursor.nak(1, picked[0].token, start + WAIT);
    assert!(cursor.pick(start, terms(1, 1, 3), |_| true).picked.is_empty(), "one at a time holds the line");
    assert_eq!(sequences(&cursor.pick(start, terms(9, 9, 3), |_| true).picked), [2, 3], "more do not wait for it");
    assert_eq!(sequences(&cursor.pick(start + WAIT, terms(1, 9, 3), |_| true).picked), [1]);
}

#[test]
fn what_is_given_back_was_never_delivered() {
    let start = hull_clock::now();
    let mut cursor = Cursor::new(Ranges::default(), 1);
    let picked = cursor.pick(start, terms(1, 1, 1), |_| true).picked;
    cursor.give_back(picked[0], start);
    let again = cursor.pick(start, terms(1, 1, 1), |_| true).picked;
    assert_eq!((again[0].deliveries, cursor.redelivered()), (1, 0));
}

#[test]
fn foreign_subjects_are_skipped_up_to_the_first_own() {
    let mut cursor = Cursor::new(Ranges::default(), 1);
    while cursor.skip(100_000, |sequence| sequence == 99_999) {}
    assert_eq!((cursor.floor(), cursor.next()), (99_998, 99_999));
    let pick = cursor.pick(hull_clock::now(), terms(5, 5, 100_000), |sequence| sequence == 99_999);
    assert_eq!(sequences(&pick.picked), [99_999]);
}

#[test]
fn a_long_foreign_run_is_scanned_in_parts() {
    let mut cursor = Cursor::new(Ranges::default(), 1);
    let mut picks = 0;
    loop {
        let pick = cursor.pick(hull_clock::now(), terms(5, 5, 100_000), |_| false);
        assert!(pick.picked.is_empty());
        picks += 1;
        if !pick.more {
            break;
        }
    }
    assert!(picks > 1);
    assert_eq!(cursor.floor(), 100_000);
}

/// Steps at random: nothing acknowledged is delivered again, nothing else is forgotten, the bound holds.
#[test]
fn the_cursor_behaves_like_its_model() {
    let seed = hull_clock::random_u64();
    println!("seed {seed}");
    let mut state = seed | 1;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut now, mut last) = (hull_clock::now(), 0_u64);
    let mut cursor = Cursor::new(Ranges::default(), 1);
    let (mut acked, mut out) = (BTreeSet::new(), BTreeMap::<u64, (Picked, Instant)>::new());
    let matches = |sequence: u64| !sequence.is_multiple_of(3);
    for step in 0..5_000 {
        match random(6) {
            0 => last += random(4),
            1 => now += Duration::from_secs(random(20)),
            2 | 3 => {
                let bound = 1 + random(8) as usize;
                for picked in cursor.pick(now, terms(1 + random(4) as usize, bound, last), matches).picked {
                    assert!(!acked.contains(&picked.sequence), "step {step}: delivered after its ack");
                    assert!(matches(picked.sequence) && picked.sequence <= last);
                    if let Some((_, due)) = out.insert(picked.sequence, (picked, now + WAIT)) {
                        assert!(due <= now, "step {step}: delivered again before it was due");
                    }
                }
            }
            kind => {
                let Some((&sequence, &(picked, _))) = out.iter().nth(random(out.len().max(1) as u64) as usize) else {
                    continue;
                };
                if kind == 4 {
                    cursor.ack(sequence);
                    acked.insert(sequence);
                    out.remove(&sequence);
                } else {
                    let due = now + Duration::from_secs(random(10));
                    cursor.nak(sequence, picked.token, due);
                    // A second nak of the same delivery is stale; the model keeps the first.
                    let entry = out.get_mut(&sequence).filter(|(_, until)| *until != due && picked.token != 0);
                    if let Some((picked, until)) = entry {
                        picked.token = 0;
                        *until = due.min(*until);
                    }
                }
            }
        }
        let floor = (1..=last + 2).find(|sequence| matches(*sequence) && !acked.contains(sequence)).expect("one");
        assert!(cursor.floor() < floor, "step {step}: settled what nobody acknowledged");
    }
    now += WAIT * 2;
    loop {
        let picked = cursor.pick(now, terms(100, 1000, last), matches).picked;
        if picked.is_empty() {
            break;
        }
        for one in picked {
            assert!(acked.insert(one.sequence), "delivered after its ack");
            cursor.ack(one.sequence);
        }
    }
    assert_eq!(cursor.floor(), last, "everything is settled in the end");
    assert_eq!(acked, (1..=last).filter(|sequence| matches(*sequence)).collect());
}
