//! The index against a plain map, from a printed seed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Index, NewEntry, Segment};

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
    let mut model: BTreeMap<u64, (String, u64, usize, u64, PathBuf)> = BTreeMap::new();
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
                let entry = NewEntry { key, offset: length, subject: &subject, time_ms: step };
                index.enter(entry, length + size);
                model.insert(next, (subject, length, size as usize, key, path.clone()));
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
    let used = model.values().map(|entry| entry.0.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(index.subjects.ids.len(), used.len(), "subjects that nobody uses are forgotten");
}
