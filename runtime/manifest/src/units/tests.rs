//! Units survive being written and read again, and what is nearly one is refused.

use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

use super::{BackoffRange, ByteRate, ByteSize, Percent, Rate, format_duration, parse_duration};
use crate::problem::Invalid;

fn refused<T: FromStr<Err = Invalid> + Debug>(texts: &[&str]) {
    for text in texts {
        assert!(text.parse::<T>().is_err(), "{text:?} was read as {:?}", text.parse::<T>());
    }
}

#[test]
fn sizes_are_binary() {
    for (text, bytes) in [("0B", 0), ("1B", 1), ("256KiB", 262_144), ("64MiB", 64 << 20), ("2TiB", 2 << 40)] {
        assert_eq!(text.parse::<ByteSize>().map(ByteSize::get), Ok(bytes));
        assert_eq!(ByteSize::bytes(bytes).to_string(), text);
    }
    assert_eq!(ByteSize::bytes(1025).to_string(), "1025B");
    refused::<ByteSize>(&["", "64", "MiB", "64MB", "64 MiB", "-1B", "1.5MiB", "16777216TiB", "99999999999999999999B"]);
}

#[test]
fn a_decimal_unit_is_answered_with_the_binary_one() {
    let error = "64MB".parse::<ByteSize>().map_err(|invalid| invalid.remedy);
    assert_eq!(error, Err("write \"64MiB\"; the units are B, KiB, MiB, GiB and TiB".to_owned()));
}

#[test]
fn durations_have_units_and_are_not_zero() {
    for (text, micros) in
        [("500us", 500), ("250ms", 250_000), ("90s", 90_000_000), ("2m", 120_000_000), ("7d", 604_800_000_000)]
    {
        let duration = Duration::from_micros(micros);
        assert_eq!(parse_duration(text), Ok(duration));
        assert_eq!(format_duration(duration), text);
    }
    assert_eq!(format_duration(Duration::from_mins(2)), "2m");
    for bad in ["", "0s", "5", "s", "1.5s", "-1s", "1sec", "1 s", "36501d", "99999999999999999999s"] {
        assert!(parse_duration(bad).is_err(), "{bad}");
    }
}

#[test]
fn rates_and_shares() {
    assert_eq!("500/s".parse(), Ok(Rate::per_second(500)));
    assert_eq!("30/m".parse::<Rate>().map(|rate| rate.to_string()), Ok("30/m".to_owned()));
    assert_eq!("1MiB/s".parse::<ByteRate>().map(ByteRate::bytes_per_second), Ok(1 << 20));
    assert_eq!("50%".parse(), Ok(Percent::new(50)));
    assert!((Percent::new(50).fraction() - 0.5).abs() < f64::EPSILON);
    refused::<Rate>(&["500", "0/s", "500/d", "5 /s", "/s", "5000000000/s"]);
    refused::<ByteRate>(&["1MiB", "0B/s", "1MiB/m", "1/s"]);
    refused::<Percent>(&["50", "%", "0.5%", "-1%", "5000000000%"]);
}

#[test]
fn backoff_ranges_go_up() {
    let range = BackoffRange { first: Duration::from_millis(50), max: Duration::from_secs(1) };
    assert_eq!("50ms..1s".parse(), Ok(range));
    assert_eq!(range.to_string(), "50ms..1s");
    assert!("1s..1s".parse::<BackoffRange>().is_ok());
    refused::<BackoffRange>(&["50ms", "1s..50ms", "..1s", "50ms..", "0s..1s", "50ms...1s"]);
}
