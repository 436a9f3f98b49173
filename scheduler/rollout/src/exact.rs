//! Fisher's exact test, one-sided: how likely it is that chance alone gives the canary so many of the bad ones. Exact for
//! any numbers, also where errors are few and a normal approximation would be wrong.

/// The chance that at least `bad_of_canary` of the `canary` drawn are bad, where `bad` of all `total` are, and canary and
/// stable do not differ.
pub(crate) fn chance(bad_of_canary: u64, canary: u64, bad: u64, total: u64) -> f64 {
    let most = bad.min(canary);
    let least = (bad + canary).saturating_sub(total);
    if bad_of_canary <= least {
        return 1.0;
    }
    if bad_of_canary > most {
        return 0.0;
    }
    let ln_choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let ln_first =
        ln_choose(bad, bad_of_canary) + ln_choose(total - bad, canary - bad_of_canary) - ln_choose(total, canary);
    // Each term from the one before; they fall quickly once past the middle.
    let (mut term, mut sum) = (ln_first.exp(), 0.0);
    for k in bad_of_canary..=most {
        sum += term;
        if term < sum * 1e-15 && k > bad_of_canary {
            break;
        }
        let ways = (bad - k) as f64 * (canary - k) as f64;
        let others = (k + 1) as f64 * ((total + k + 1) - bad - canary) as f64;
        term *= ways / others;
    }
    sum.min(1.0)
}

/// The logarithm of n!, to 10 digits: exact for small n, Stirling's series for large.
fn ln_factorial(n: u64) -> f64 {
    if n < 32 {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let n = n as f64;
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

#[cfg(test)]
mod tests {
    use super::{chance, ln_factorial};

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-9 * other.abs().max(1e-300)
    }

    #[test]
    fn factorials() {
        let direct = |n: u64| (2..=n).map(|k| (k as f64).ln()).sum::<f64>();
        for n in [0, 1, 5, 31, 32, 33, 100, 5000] {
            assert!((ln_factorial(n) - direct(n)).abs() <= 1e-9 * direct(n).max(1.0), "{n}");
        }
    }

    #[test]
    fn the_lady_tasting_tea() {
        // Eight cups, four with milk first, and she names all four; or three of them at least.
        assert!(close(chance(4, 4, 4, 8), 1.0 / 70.0));
        assert!(close(chance(3, 4, 4, 8), 17.0 / 70.0));
        assert!(close(chance(0, 4, 4, 8), 1.0));
    }

    #[test]
    fn it_agrees_with_counting_all_ways() {
        let choose = |n: u64, k: u64| (0..k).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64);
        for (canary, bad, total) in [(3, 5, 20), (10, 2, 30), (15, 28, 30), (30, 30, 30), (0, 3, 9), (4, 0, 9)] {
            for seen in 0..=canary {
                let most = bad.min(canary);
                let all: f64 = (seen..=most)
                    .filter(|k| canary - k <= total - bad)
                    .map(|k| choose(bad, k) * choose(total - bad, canary - k) / choose(total, canary))
                    .sum();
                let found = chance(seen, canary, bad, total);
                assert!((found - all).abs() < 1e-9, "{seen} of {canary}, {bad} of {total}: {found} and {all}");
            }
        }
    }

    #[test]
    fn large_numbers_are_no_trouble() {
        let found = chance(600, 50_000, 10_000, 1_000_000);
        assert!(found > 0.0 && found < 1e-4, "{found}");
        let usual = chance(500, 50_000, 10_000, 1_000_000);
        assert!((0.4..0.6).contains(&usual), "{usual}");
    }
}
