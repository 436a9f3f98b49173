//! The index against a plain map, from a printed seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Index, NewEntry, Segment};
use crate::embedded::shares::{Amount, Shares};

#[test]
fn the_index_behaves_like_a_map() {
    let seed = hull_clock::random_u64();
    println!("seed {seed}");
    let mut state = seed | 1;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let file = Arc::new(tempfile::tempfile().expect("a file"));
    let mut index = Index::default();
    let mut model: BTreeMap<u64, (String, u64, usize, u64, PathBuf, String)> = BTreeMap::new();
    let (mut next, mut length, mut path) = (1_u64, 24_u64, PathBuf::from("0"));
    index.roll(Segment::new(next, 0, path.clone(), Arc::clone(&file), length));
    for step in 0..5_000 {
        match random(20) {
            0 => {
                next += random(3);
                length = 24;
                path = PathBuf::from(step.to_string());
                index.roll(Segment::new(next, 0, path.clone(), Arc::clone(&file), length));
            }
            1 => {
                if let Some((segment, keys)) = index.drop_first() {
                    let kept = model.split_off(&segment.end());
                    assert_eq!(keys, model.values().map(|entry| entry.3).collect::<Vec<_>>());
                    model = kept;
                }
            }
            _ => {
                let (size, key, subject) = (40 + random(9), random(1 << 40), format!("s.{}", random(30)));
                let publisher = format!("/shop/{}", random(5));
                let entry = NewEntry { key, offset: length, publisher: &publisher, subject: &subject, time_ms: step };
                index.enter(entry, length + size);
                model.insert(next, (subject, length, size as usize, key, path.clone(), publisher));
                length += size;
                next += 1;
            }
        }
        assert_eq!((index.events(), index.last()), (model.len() as u64, next - 1));
        let probe = random(next + 5);
        let expected = model.get(&probe);
        assert_eq!(index.subject(probe), expected.map(|entry| entry.0.as_str()), "step {step}");
        let found = index.locate(probe).map(|location| (location.offset, location.length, location.path));
        assert_eq!(found, expected.map(|entry| (entry.1, entry.2, entry.4.clone())), "step {step}");
    }
    let mut held: BTreeMap<&str, Amount> = BTreeMap::new();
    for entry in model.values() {
        *held.entry(&entry.5).or_default() += Amount { bytes: entry.2 as u64, events: 1 };
    }
    assert_eq!(index.shares.publishers().collect::<BTreeSet<_>>(), held.keys().copied().collect());
    assert!(held.iter().all(|(publisher, amount)| index.shares.of(publisher) == *amount), "{:?}", index.shares);
    let used = model.values().map(|entry| entry.0.clone()).collect::<BTreeSet<_>>();
    assert_eq!(index.subjects.ids.len(), used.len(), "subjects that nobody uses are forgotten");
}

#[test]
fn however_many_flood_a_stream_each_has_the_same_and_one_more_has_room() {
    let size = Amount { bytes: 1_200_000, events: u64::MAX };
    let one = Amount { bytes: 100, events: 1 };
    let file = Arc::new(tempfile::tempfile().expect("a file"));
    for flooding in 1..=9_u64 {
        let mut index = Index::default();
        index.roll(Segment::new(1, 0, PathBuf::from("0"), Arc::clone(&file), 0));
        let publishers: Vec<String> = (0..flooding).map(|number| format!("/shop/{number}")).collect();
        let mut length = 0;
        loop {
            let before = length;
            for publisher in &publishers {
                if index.has_room(size, &Shares::default(), publisher, one) {
                    let entry = NewEntry { key: 0, offset: length, publisher, subject: "a", time_ms: 0 };
                    length += one.bytes;
                    index.enter(entry, length);
                }
            }
            if length == before {
                break;
            }
        }
        let share = size.bytes / (flooding + 1);
        for publisher in &publishers {
            let held = index.shares.of(publisher).bytes;
            assert!(held.abs_diff(share) <= one.bytes * flooding, "{held} of {share} with {flooding}");
        }
        let room = Amount { bytes: share / 2 - one.bytes, events: 1 };
        assert!(index.has_room(size, &Shares::default(), "/shop/modest", room), "{flooding}");
    }
}

#[test]
fn what_is_about_to_be_written_counts() {
    let mut index = Index::default();
    let file = Arc::new(tempfile::tempfile().expect("a file"));
    index.roll(Segment::new(1, 0, PathBuf::from("0"), file, 0));
    let size = Amount { bytes: 1000, events: 10 };
    let (few, many) = (Amount { bytes: 10, events: 1 }, Amount { bytes: 10, events: 6 });
    let mut written = Shares::default();
    written.add("/shop/orders", Amount { bytes: 400, events: 2 });
    let room = |publisher: &str, bytes: u64| index.has_room(size, &written, publisher, Amount { bytes, events: 1 });
    assert!(room("/shop/orders", 100) && !room("/shop/orders", 101), "500 of 1000, and as much is free");
    assert!(room("/shop/carts", 300) && !room("/shop/carts", 301), "300, and as much is free");
    assert!(index.has_room(size, &written, "/shop/carts", few) && !index.has_room(size, &written, "/shop/carts", many));
}
