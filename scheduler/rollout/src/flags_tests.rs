//! The rules of flags: by hand, and beside a model that reads them plainly.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_manifest::StickyBy;

use super::{FLAGS_MAX, FlagError, Flags, RULES_MAX, Rule, VALUE_BYTES_MAX, When, Which};
use crate::split::Share;
use crate::sticky::Asks;

/// Somebody with headers, who comes from somewhere.
struct Somebody<'a>(&'a [(&'a str, &'a str)], &'a str);

impl Asks for Somebody<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn cookie(&self, _: &str) -> Option<&str> {
        None
    }

    fn origin(&self) -> Option<&str> {
        Some(self.1)
    }
}

fn rule(when: When, value: &str) -> Rule {
    Rule { when, value: value.to_owned(), by: "ci".to_owned(), at: "2026-01-01T00:00:00Z".to_owned() }
}

fn share(percent: u32) -> When {
    When::Share(Share::from_hundredths(percent * 100).expect("a share"))
}

fn flags(rules: impl IntoIterator<Item = (When, &'static str)>) -> Flags {
    let mut flags = Flags::default();
    for (when, value) in rules {
        let by = Some(StickyBy::Header("x-user".parse().expect("a name")));
        flags.set("colour", by, 7, rule(when, value)).expect("it fits");
    }
    flags
}

fn seen(flags: &Flags, headers: &[(&str, &str)]) -> Option<String> {
    let flags = Arc::new(flags.clone());
    flags.decide(&Somebody(headers, "127.0.0.1")).value("colour").map(str::to_owned)
}

#[test]
fn the_more_particular_rule_comes_first_however_they_were_set() {
    let header = || When::Header { name: "x-beta".to_owned(), value: "yes".to_owned() };
    let user = || When::User("ann".to_owned());
    let all = [(When::Everybody, "grey"), (share(100), "blue"), (header(), "green"), (user(), "red")];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let mut flags = flags(order.map(|place| all[place].clone()));
        let expected = [
            (&[("x-user", "ann"), ("x-beta", "yes")][..], "red"),
            (&[("x-user", "bob"), ("x-beta", "yes")], "green"),
            (&[("x-user", "bob"), ("x-beta", "no")], "blue"),
        ];
        for (headers, value) in expected {
            assert_eq!(seen(&flags, headers).as_deref(), Some(value), "{headers:?}");
        }
        assert_eq!(flags.unset("colour", &Which::ShareOf("blue".to_owned())), 1);
        assert_eq!(seen(&flags, &[("x-user", "bob")]).as_deref(), Some("grey"));
        assert_eq!(flags.unset("colour", &Which::Everybody), 1);
        assert_eq!(seen(&flags, &[("x-user", "bob")]), None);
        assert_eq!(flags.unset("colour", &Which::All), 2);
        assert!(flags.is_empty());
    }
}

/// Who sees which value, of many users.
fn split(flags: &Flags) -> BTreeMap<usize, Option<String>> {
    (0..4000).map(|user| (user, seen(flags, &[("x-user", &format!("user-{user}"))]))).collect()
}

fn count(split: &BTreeMap<usize, Option<String>>, value: Option<&str>) -> usize {
    split.values().filter(|seen| seen.as_deref() == value).count()
}

#[test]
fn shares_are_as_large_as_they_say_and_do_not_overlap() {
    let flags = flags([(share(10), "a"), (share(30), "b")]);
    let seen = split(&flags);
    for (value, expected) in [(Some("a"), 400), (Some("b"), 1200), (None, 2400)] {
        let found = count(&seen, value);
        assert!(found.abs_diff(expected) < 120, "{value:?}: {found} instead of about {expected}");
    }
    assert_eq!(split(&flags), seen, "the same users again");
}

#[test]
fn whoever_has_a_value_keeps_it_while_its_share_grows() {
    let mut flags = flags([(share(5), "a")]);
    let mut before = split(&flags);
    for percent in [10, 25, 80, 100] {
        flags.set("colour", None, 9, rule(share(percent), "a")).expect("it fits");
        assert_eq!(flags.get("colour").map(|flag| flag.rules().len()), Some(1), "it is the same rule");
        let after = split(&flags);
        assert!(before.iter().all(|(user, value)| value.is_none() || after[user] == *value), "at {percent}%");
        before = after;
    }
    assert_eq!(count(&before, Some("a")), 4000);
}

#[test]
fn two_flags_choose_different_users() {
    let mut flags = Flags::default();
    for (variable, seed) in [("one", 1), ("two", 2)] {
        flags.set(variable, None, seed, rule(share(10), "on")).expect("it fits");
    }
    let flags = Arc::new(flags);
    let decided = |user: usize| flags.decide(&Somebody(&[], &format!("10.0.{}.{}", user / 256, user % 256)));
    let both = (0..10_000).map(decided).filter(|decided| decided.value("one") == decided.value("two")).count();
    // A tenth of a tenth has both, and nine tenths of nine tenths have none.
    assert!(both.abs_diff(8200) < 150, "{both}");
}

#[test]
fn a_rule_is_bounded_and_a_refused_one_changes_nothing() {
    let mut flags = flags([(share(60), "a")]);
    let before = flags.clone();
    let mut refused = |variable: &str, rule: Rule| flags.set(variable, None, 1, rule).expect_err("it does not fit");
    let above = FlagError::AboveAll { share: Share::from_hundredths(4100).expect("a share") };
    assert_eq!(refused("colour", rule(share(41), "b")), above);
    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    assert!(matches!(refused("new", rule(When::Everybody, &long)), FlagError::TooLong { what: "the value", .. }));
    assert!(matches!(refused("new", rule(When::User(long), "a")), FlagError::TooLong { what: "the user", .. }));
    assert_eq!(flags, before);
    flags.set("colour", None, 1, rule(share(100), "a")).expect("its own share is not counted twice");
    for n in 1..FLAGS_MAX {
        flags.set(&format!("flag_{n}"), None, 1, rule(When::Everybody, "x")).expect("it fits");
    }
    assert_eq!(flags.set("more", None, 1, rule(When::Everybody, "x")), Err(FlagError::TooManyFlags));
    for n in FLAGS_MAX..RULES_MAX {
        flags.set("colour", None, 1, rule(When::User(n.to_string()), "x")).expect("it fits");
    }
    assert_eq!(flags.set("colour", None, 1, rule(When::User("more".to_owned()), "x")), Err(FlagError::TooManyRules));
    flags.set("colour", None, 1, rule(When::User("100".to_owned()), "y")).expect("in place of another");
}

/// Steps of a generator that is good enough for a test: SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Beside a model that asks the rules one after the other, class by class.
#[test]
fn many_random_changes_decide_as_a_plain_reading_of_the_rules_does() {
    let seed = 20_261_121;
    println!("seed {seed}");
    let mut random = seed;
    let mut flags = Flags::default();
    let mut model: Vec<(When, String)> = Vec::new();
    for step in 0..3000 {
        let value = format!("v{}", next(&mut random) % 5);
        let when = match next(&mut random) % 4 {
            0 => When::User(format!("u{}", next(&mut random) % 6)),
            1 => When::Header { name: "x-h".to_owned(), value: format!("h{}", next(&mut random) % 4) },
            2 => share((next(&mut random) % 40) as u32),
            _ => When::Everybody,
        };
        let is_same = |(old, its): &(When, String)| match (old, &when) {
            (When::Share(_), When::Share(_)) => *its == value,
            (old, when) => old == when,
        };
        if next(&mut random).is_multiple_of(3) {
            let which = match when.clone() {
                When::User(user) => Which::User(user),
                When::Header { name, value } => Which::Header { name, value },
                When::Share(_) => Which::ShareOf(value.clone()),
                When::Everybody => Which::Everybody,
            };
            let gone = model.iter().filter(|one| is_same(one)).count();
            model.retain(|one| !is_same(one));
            assert_eq!(flags.unset("colour", &which), gone, "step {step}");
        } else {
            let by = Some(StickyBy::Header("x-user".parse().expect("a name")));
            let set = flags.set("colour", by, 11, rule(when.clone(), &value));
            assert!(set.is_ok() || matches!(set, Err(FlagError::AboveAll { .. })), "step {step}: {set:?}");
            if set.is_ok() {
                match model.iter().position(is_same) {
                    Some(place) => model[place] = (when, value),
                    None => model.push((when, value)),
                }
            }
        }
        let (user, sent) = (format!("u{}", next(&mut random) % 9), format!("h{}", next(&mut random) % 6));
        let plain = plainly(&model, &user, &sent, flags.get("colour").map_or(11, |flag| flag.seed));
        assert_eq!(seen(&flags, &[("x-user", &user), ("x-h", &sent)]), plain, "step {step}, seed {seed}");
    }
}

fn plainly(model: &[(When, String)], user: &str, sent: &str, seed: u64) -> Option<String> {
    let first =
        |holds: &dyn Fn(&When) -> bool| model.iter().find(|(when, _)| holds(when)).map(|(_, value)| value.clone());
    let mut below = 0;
    let shared = model.iter().find(|(when, _)| {
        let When::Share(share) = when else { return false };
        below += share.hundredths();
        let all = Share::from_hundredths(below).expect("never above all");
        crate::split::Split::new(seed, all).takes(user.as_bytes())
    });
    first(&|when| *when == When::User(user.to_owned()))
        .or_else(|| first(&|when| matches!(when, When::Header { value, .. } if value == sent)))
        .or_else(|| shared.map(|(_, value)| value.clone()))
        .or_else(|| first(&|when| *when == When::Everybody))
}
