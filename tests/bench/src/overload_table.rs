//! What `bench overload` prints: of each offer the round in the middle, with the worst and the best beside it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::rounds::{median, middle};
use crate::table::{milliseconds, spread, thousands};
use crate::tally::Tally;

/// An answer that takes longer is of no use to anyone; counted from when the request was due.
const DEADLINE: Duration = Duration::from_secs(1);
/// The goal, at the most that is offered.
const GOODPUT_MIN: f64 = 0.90;

/// All offers, and what the component carried meanwhile.
pub(crate) struct Round {
    /// Requests a second.
    pub(crate) best: f64,
    /// In the order of the table.
    pub(crate) offers: Vec<Offer>,
}

/// What came of one offer.
pub(crate) struct Offer {
    /// So many times the best.
    pub(crate) times: u32,
    /// Requests that were due in a second.
    pub(crate) per_second: f64,
    /// And what became of them.
    pub(crate) tally: Tally,
}

/// The table of one component.
pub(crate) fn render(name: &str, rounds: &[Round]) -> String {
    let bests = rounds.iter().map(|round| round.best);
    let (least, most) = spread(bests.clone());
    let mut text = format!(
        "A component that {name}; its best is {}/s ({} to {}).\n\n\
         | offered, times best | due/s | sent/s | served within {DEADLINE:?}/s | of best | worst–best round | turned away | \
         neither | p50 served | p99 served | p99 turned away |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        thousands(median(bests).unwrap_or_default()),
        thousands(least),
        thousands(most)
    );
    let mut reached = None;
    for at in 0..rounds.first().map_or(0, |round| round.offers.len()) {
        let offers = rounds.iter().filter_map(|round| Some((round.best, round.offers.get(at)?)));
        let offers: Vec<_> = offers.map(|(best, offer)| (goodput(&offer.tally) / best, offer)).collect();
        let Some((middle, offer)) = middle(&offers, |(of_best, _)| *of_best) else { continue };
        row(&mut text, offer, *middle, spread(offers.iter().map(|(of_best, _)| *of_best)));
        reached = Some((offer.times, *middle));
    }
    if let Some((times, reached)) = reached {
        let verdict = if reached >= GOODPUT_MIN { "yes" } else { "**no**" };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "\ngoodput at {times} times its best at least {GOODPUT_MIN:.2} of it: {reached:.2}, {verdict}"
        );
    }
    text
}

/// Served within the deadline, per second.
fn goodput(tally: &Tally) -> f64 {
    tally.per_second(tally.served.within(DEADLINE))
}

fn row(text: &mut String, offer: &Offer, of_best: f64, (worst, best): (f64, f64)) {
    let Offer { times, per_second, tally } = offer;
    let turned_away = tally.shed.total() as f64 / (tally.sent.max(1)) as f64;
    let cells = [
        times.to_string(),
        thousands(*per_second),
        thousands(tally.per_second(tally.sent)),
        thousands(goodput(tally)),
        format!("{of_best:.2}"),
        format!("{worst:.2}–{best:.2}"),
        format!("{:.0} %", turned_away * 100.0),
        (tally.failed + tally.broken + tally.unsent).to_string(),
        milliseconds(tally.served.percentile(0.5)),
        milliseconds(tally.served.percentile(0.99)),
        milliseconds(tally.shed.percentile(0.99)),
    ];
    // Writing to a string does not fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Offer, Round, goodput, render};
    use crate::tally::Tally;

    fn tally(in_time: u64) -> Tally {
        let mut tally = Tally::new(Duration::from_secs(2));
        tally.sent = 200;
        for served in 0..100 {
            tally.answered(200, Duration::from_millis(if served < in_time { 10 } else { 1_500 }));
            tally.answered(503, Duration::from_millis(1));
        }
        tally
    }

    #[test]
    fn late_answers_are_not_good_ones() {
        assert!((goodput(&tally(90)) - 45.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_round_in_the_middle_counts() {
        let round = |best, in_time| {
            let offers = vec![Offer { times: 2, per_second: 100.0, tally: tally(in_time) }];
            Round { best, offers }
        };
        let text = render("rests", &[round(50.0, 90), round(40.0, 40), round(45.0, 90)]);
        assert!(text.contains("A component that rests; its best is 45/s (40 to 50)."), "{text}");
        assert!(text.contains("| 2 | 100 | 100 | 45 | 0.90 | 0.50–1.00 | 50 % | 0 | "), "{text}");
        assert!(text.contains("goodput at 2 times its best at least 0.90 of it: 0.90, yes"), "{text}");
        let text = render("rests", &[round(50.0, 80)]);
        assert!(text.contains("at least 0.90 of it: 0.80, **no**"), "{text}");
    }
}
