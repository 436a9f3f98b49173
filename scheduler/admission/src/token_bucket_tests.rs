//! The bucket, one thing at a time and walked at random beside a model that counts every tick.

use std::time::{Duration, Instant};

use super::TokenBucket;
use crate::simulated_shell::fill;
use crate::simulation::{Random, start, walk};

#[test]
fn a_burst_of_a_second_then_the_rate() {
    let start = start();
    let mut bucket = TokenBucket::new(1000, start);
    assert_eq!(bucket.on_take(start, 600), 600);
    assert_eq!(bucket.on_take(start, 600), 400);
    assert_eq!(bucket.on_take(start, 1), 0);
    assert_eq!(bucket.on_take(start + Duration::from_millis(10), 100), 10);
    assert_eq!(bucket.on_take(start + Duration::from_hours(1), 5000), 1000);
}

/// However often and irregularly it is asked, it gives the rate: nothing is lost by rounding, nothing won.
#[test]
fn no_token_is_lost_or_made_by_asking_often() {
    let start = start();
    for seed in 1..=20_u64 {
        let mut bucket = TokenBucket::new(700, start);
        let (mut now, mut taken, mut state) = (start, bucket.on_take(start, 700), seed);
        while now < start + Duration::from_secs(3) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            now += Duration::from_nanos((state >> 33) % 3_000_000 + 1);
            taken += bucket.on_take(now, 10);
        }
        let due = 700 + (700.0 * (now - start).as_secs_f64()) as u64;
        assert!(due.abs_diff(taken) <= 1, "seed {seed}: {taken} of {due}");
    }
}

#[test]
fn who_comes_too_early_is_told_when_to_come() {
    let start = start();
    let mut bucket = TokenBucket::with_period(2, Duration::from_mins(1), start);
    assert_eq!((bucket.on_take_one(start), bucket.on_take_one(start)), (Ok(()), Ok(())));
    let later = start + Duration::from_secs(10);
    let wait = bucket.on_take_one(later).expect_err("there is none left");
    assert_eq!(wait, Duration::from_secs(20));
    assert_eq!(bucket.on_take_one(later + wait), Ok(()));
}

#[test]
fn time_that_goes_back_gives_nothing() {
    let before = start();
    let start = before + Duration::from_secs(1);
    let mut bucket = TokenBucket::new(10, start);
    assert_eq!(bucket.on_take(start, 10), 10);
    assert_eq!(bucket.on_take(before, 10), 0);
    assert_eq!(bucket.on_take(start + Duration::from_millis(100), 10), 1);
}

#[test]
fn another_rate_takes_over_what_is_left() {
    let now = start();
    let mut bucket = TokenBucket::new(100, now);
    assert_eq!(bucket.on_take(now, 90), 90);
    bucket.change(100, Duration::from_secs(1), now);
    assert_eq!(bucket.left(now), 10, "the same rate is no new start");
    bucket.change(1000, Duration::from_secs(1), now);
    assert_eq!((bucket.left(now), bucket.left(now + Duration::from_millis(100))), (10, 110));
    bucket.change(5, Duration::from_secs(10), now);
    assert_eq!((bucket.left(now), bucket.left(now + Duration::from_secs(60))), (5, 5));
}

#[test]
fn the_largest_numbers_there_are() {
    let start = start();
    let mut bucket = TokenBucket::with_period(u64::MAX, Duration::MAX, start);
    assert_eq!(bucket.on_take(start, u64::MAX), u64::MAX);
    assert_eq!(bucket.on_take_all(start, u64::MAX), Err(Duration::from_nanos(u64::MAX)));
    assert_eq!(bucket.on_take(start + Duration::from_nanos(7), u64::MAX), 7);
    let mut empty = TokenBucket::with_period(0, Duration::ZERO, start);
    assert_eq!((empty.on_take(start, 1), empty.on_take_one(start).is_err()), (0, true));
}

/// A bucket, and a model of it that gets what every tick gives. A tick is a nanosecond, so that rounding shows.
struct Filled {
    bucket: TokenBucket,
    start: Instant,
    capacity: u64,
    period: u64,
    now: u64,
    left: u64,
    part: u64,
}

impl Filled {
    fn begin(random: &mut Random) -> Self {
        let (start, capacity, period) = (start(), random.between(1, 12), random.between(1, 40));
        let bucket = TokenBucket::with_period(capacity, Duration::from_nanos(period), start);
        Self { bucket, start, capacity, period, now: 0, left: capacity, part: 0 }
    }

    fn step(&mut self, random: &mut Random) {
        for _ in 0..random.below(8) {
            self.now += 1;
            (self.left, self.part) = fill(self.left, self.part, self.capacity, self.period);
            if self.left >= self.capacity {
                (self.left, self.part) = (self.capacity, 0);
            }
        }
        let now = self.start + Duration::from_nanos(self.now);
        let wanted = random.between(1, self.capacity + 2);
        let mut taken = wanted.min(self.left);
        match random.below(4) {
            0 => assert_eq!(self.bucket.on_take(now, wanted), taken, "how many there were"),
            1 => {
                taken = u64::from(self.left >= 1);
                assert_eq!(self.bucket.on_take_one(now), self.answer(1));
            }
            2 => {
                taken = if self.left >= wanted { wanted } else { 0 };
                assert_eq!(self.bucket.on_take_all(now, wanted), self.answer(wanted));
            }
            _ => taken = 0,
        }
        self.left -= taken;
        assert_eq!(self.bucket.left(now), self.left, "what is left");
    }

    fn answer(&self, wanted: u64) -> Result<(), Duration> {
        let (mut left, mut part, mut ticks) = (self.left, self.part, 0);
        while left < wanted {
            (left, part) = fill(left, part, self.capacity, self.period);
            ticks += 1;
        }
        if ticks == 0 { Ok(()) } else { Err(Duration::from_nanos(ticks)) }
    }
}

#[test]
fn ten_million_steps_lose_no_token_and_make_none() {
    walk(10_000_000, Filled::begin, Filled::step);
}
