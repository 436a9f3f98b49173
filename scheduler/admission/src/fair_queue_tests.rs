//! Shares and the order of service, one thing at a time and walked at random beside a model.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{FairQueue, Share};
use crate::simulation::{Random, start, walk};

const SLICE: Duration = Duration::from_millis(1);

#[test]
fn service_is_by_weight() {
    let (heavy, light) = (Share::new(300), Share::new(100));
    let mut queue = FairQueue::default();
    let mut served = [0_u32; 2];
    queue.push(&heavy, 0);
    queue.push(&light, 1);
    for _ in 0..4000 {
        let who = queue.pop(start()).expect("both always have one");
        let share = if who == 0 { &heavy } else { &light };
        served[who] += 1;
        share.charge(queue.floor(), SLICE);
        queue.push(share, who);
    }
    assert!(served[0].abs_diff(3000) <= 1, "{served:?}");
}

#[test]
fn time_that_was_not_used_is_not_saved_up() {
    let (busy, idle) = (Share::new(100), Share::new(100));
    let mut queue = FairQueue::default();
    queue.push(&busy, 'b');
    for _ in 0..1000 {
        let item = queue.pop(start()).expect("it is there");
        busy.charge(queue.floor(), SLICE);
        queue.push(&busy, item);
    }
    queue.push(&idle, 'i');
    let mut in_a_row = 0;
    while let Some('i') = queue.pop(start()) {
        in_a_row += 1;
        idle.charge(queue.floor(), SLICE);
        queue.push(&idle, 'i');
    }
    assert!((1..=2).contains(&in_a_row), "{in_a_row}");
}

#[test]
fn who_is_held_waits_and_holds_nobody() {
    let (capped, free) = (Share::new(100), Share::new(100));
    let now = start();
    let mut queue = FairQueue::default();
    queue.push_held(now + SLICE, &capped, 'c');
    queue.push(&free, 'f');
    assert_eq!((queue.length(), queue.next_release()), (1, Some(now + SLICE)));
    assert_eq!((queue.pop(now), queue.pop(now)), (Some('f'), None));
    assert_eq!(queue.pop(now + SLICE), Some('c'));
    assert_eq!((queue.length(), queue.next_release()), (0, None));
}

/// The queue, and a model of it: what each share has used, the line of each, and who is held.
struct Model {
    queue: FairQueue<(usize, u64)>,
    shares: Vec<Arc<Share>>,
    weights: Vec<u64>,
    used: Vec<u64>,
    floor: u64,
    lines: Vec<VecDeque<u64>>,
    held: Vec<(Instant, usize, u64)>,
    passed_over: Vec<u32>,
    now: Instant,
    pushed: u64,
}

impl Model {
    fn begin(random: &mut Random) -> Self {
        let weights: Vec<_> = (0..random.between(1, 5)).map(|_| random.between(50, 250)).collect();
        Self {
            queue: FairQueue::default(),
            shares: weights.iter().map(|weight| Share::new(*weight as u32)).collect(),
            used: vec![0; weights.len()],
            floor: 0,
            lines: vec![VecDeque::new(); weights.len()],
            held: Vec::new(),
            passed_over: vec![0; weights.len()],
            now: start(),
            pushed: 0,
            weights,
        }
    }

    fn step(&mut self, random: &mut Random) {
        self.now += SLICE * random.below(3) as u32;
        let who = random.below(self.shares.len() as u64) as usize;
        let length: usize = self.lines.iter().map(VecDeque::len).sum();
        assert_eq!(self.queue.length(), length, "how many could run");
        assert_eq!(self.queue.next_release(), self.held.iter().map(|held| held.0).min(), "the next of those held");
        match random.below(8) {
            0..=2 if length < 64 => {
                self.queue.push(&self.shares[who], (who, self.pushed));
                self.join(who, self.pushed);
            }
            3 if self.held.len() < 16 => {
                let until = self.now + SLICE * random.below(9) as u32;
                self.queue.push_held(until, &self.shares[who], (who, self.pushed));
                self.held.push((until, who, self.pushed));
            }
            _ => self.serve(random),
        }
        self.pushed += 1;
    }

    fn join(&mut self, who: usize, number: u64) {
        if self.lines[who].is_empty() {
            self.used[who] = self.used[who].max(self.floor);
        }
        self.lines[who].push_back(number);
    }

    fn serve(&mut self, random: &mut Random) {
        // Stable: of those held until the same moment, the first to come is the first to go.
        self.held.sort_by_key(|held| held.0);
        while self.held.first().is_some_and(|held| held.0 <= self.now) {
            let (_, who, number) = self.held.remove(0);
            self.join(who, number);
        }
        let Some((who, number)) = self.queue.pop(self.now) else {
            return assert!(self.lines.iter().all(VecDeque::is_empty), "one was forgotten");
        };
        let waiting = (0..self.lines.len()).filter(|other| !self.lines[*other].is_empty());
        assert_eq!(waiting.map(|other| self.used[other]).min(), Some(self.used[who]), "who has used least is first");
        assert_eq!(self.lines[who].pop_front(), Some(number), "a line keeps its order");
        for (other, count) in self.passed_over.iter_mut().enumerate() {
            *count = if other == who || self.lines[other].is_empty() { 0 } else { *count + 1 };
            // The longest slice over the shortest, for the heaviest over the lightest, by four others.
            assert!(*count < 4 * 4 * 5, "share {other} starves");
        }
        self.floor = self.floor.max(self.used[who]);
        let slice = Duration::from_micros(random.between(250, 1000));
        self.shares[who].charge(self.queue.floor(), slice);
        self.used[who] = self.used[who].max(self.floor) + slice.as_nanos() as u64 * 100 / self.weights[who];
    }
}

#[test]
fn ten_million_steps_keep_order_and_starve_nobody() {
    walk(10_000_000, Model::begin, Model::step);
}
