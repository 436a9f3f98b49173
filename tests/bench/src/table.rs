//! Writes what was measured as one Markdown table, ready for docs/performance.md.

use std::fmt::Write as _;
use std::time::Duration;

use crate::rounds::{Measured, Turn, median};

/// The table; ratios are to the subject called `baseline`.
pub(crate) fn render(results: &[Measured], baseline: &str) -> String {
    let native = results.iter().find(|result| result.name == baseline).and_then(rate);
    let mut text = String::from(
        "| server | requests/s | min–max | of native | p50 | p99 | p99.9 | CPU each |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for result in results {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", row(result, native));
    }
    text
}

fn row(result: &Measured, native: Option<f64>) -> String {
    let name = &result.name;
    let turns = match &result.turns {
        Ok(turns) if !turns.is_empty() => turns,
        Ok(_) => return format!("| {name} | not measured | | | | | | |"),
        // A cell holds one line, and no bar.
        Err(why) => return format!("| {name} | failed: {} | | | | | | |", why.replace(['|', '\n'], " ")),
    };
    let rates = || turns.iter().map(|turn| turn.rate);
    let rate = median(rates()).unwrap_or_default();
    let (least, most) = spread(rates());
    let ratio = native.map_or_else(String::new, |native| format!("{:.2}", rate / native));
    let time = |of: fn(&Turn) -> Duration| milliseconds(median(turns.iter().map(of)).unwrap_or_default());
    format!(
        "| {name} | {} | {}–{} | {ratio} | {} | {} | {} | {} |",
        thousands(rate),
        thousands(least),
        thousands(most),
        time(|turn| turn.p50),
        time(|turn| turn.p99),
        time(|turn| turn.p999),
        microseconds(median(turns.iter().map(|turn| turn.server_cpu)).unwrap_or_default()),
    )
}

/// The median of the rounds.
fn rate(result: &Measured) -> Option<f64> {
    median(result.turns.as_ref().ok()?.iter().map(|turn| turn.rate))
}

/// The least and the most of what is above zero.
pub(crate) fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    (values.clone().fold(f64::MAX, f64::min), values.fold(0.0, f64::max))
}

/// `1.234 ms`.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}

/// `12.3 µs`.
pub(crate) fn microseconds(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1_000_000.0)
}

/// `12,345`.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{render, thousands};
    use crate::rounds::{Measured, Turn};

    fn measured(name: &str, rates: &[f64]) -> Measured {
        let turn = |&rate: &f64| Turn {
            rate,
            p50: Duration::from_micros(500),
            p99: Duration::from_micros(1500),
            p999: Duration::from_millis(2),
            server_cpu: Duration::from_nanos(12_340),
        };
        Measured { name: name.to_owned(), turns: Ok(rates.iter().map(turn).collect()) }
    }

    #[test]
    fn medians_spread_and_ratios_are_shown() {
        let text =
            render(&[measured("native", &[200_000.0]), measured("hull", &[90_000.4, 80_000.0, 100_000.0])], "native");
        assert!(text.contains("| native | 200,000 | 200,000–200,000 | 1.00 |"), "{text}");
        assert!(
            text.contains("| hull | 90,000 | 80,000–100,000 | 0.45 | 0.500 ms | 1.500 ms | 2.000 ms | 12.3 µs |"),
            "{text}"
        );
    }

    #[test]
    fn a_failure_is_a_row_of_its_own() {
        let failed = Measured { name: "hull".to_owned(), turns: Err("a | b\nc".to_owned()) };
        assert!(render(&[failed], "native").contains("| hull | failed: a   b c |"));
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0.0, 999.6, 12_345.0, 1_000_000.0].map(thousands), ["0", "1,000", "12,345", "1,000,000"]);
    }
}
