//! Measures several servers in turns (A B C, A B C, …), so that a machine that slows down slows all of them, and
//! takes the median over the rounds.

use std::time::Duration;

use anyhow::Context as _;

use crate::connection;
use crate::load::Load;
use crate::process::Process;

/// Starts the server for one turn.
pub(crate) type Start<'a> = Box<dyn Fn() -> anyhow::Result<Process> + 'a>;

/// Something to measure.
pub(crate) struct Subject<'a> {
    /// As the table calls it.
    pub(crate) name: String,
    /// Starts it; nothing else runs while it is measured.
    pub(crate) start: Start<'a>,
}

/// One turn of one subject.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Median latency.
    pub(crate) p50: Duration,
    /// 99 of 100 are at most this.
    pub(crate) p99: Duration,
    /// 999 of 1,000 are at most this.
    pub(crate) p999: Duration,
    /// What the server used of CPU for one answer.
    pub(crate) server_cpu: Duration,
}

/// All turns of a subject, or why it has none.
pub(crate) struct Measured {
    /// As the table calls it.
    pub(crate) name: String,
    /// One for each round.
    pub(crate) turns: Result<Vec<Turn>, String>,
}

/// Measure all subjects; one that fails is reported as such and left out of the rounds that follow.
pub(crate) fn run(subjects: &[Subject<'_>], rounds: usize, connections: usize, measured: Duration) -> Vec<Measured> {
    let nothing = |subject: &Subject<'_>| Measured { name: subject.name.clone(), turns: Ok(Vec::new()) };
    let mut results: Vec<Measured> = subjects.iter().map(nothing).collect();
    for round in 1..=rounds {
        for (subject, result) in subjects.iter().zip(&mut results) {
            let Ok(turns) = &mut result.turns else { continue };
            eprintln!("round {round} of {rounds}: {}", subject.name);
            match turn(subject, connections, measured) {
                Ok(turn) => turns.push(turn),
                Err(error) => {
                    eprintln!("  failed: {error:#}");
                    result.turns = Err(format!("{error:#}"));
                }
            }
        }
    }
    results
}

fn turn(subject: &Subject<'_>, connections: usize, measured: Duration) -> anyhow::Result<Turn> {
    let process = (subject.start)().context("it does not start")?;
    let request = connection::request("GET", "/", "");
    let load = Load { address: process.address, request, connections, warm_up: Duration::from_secs(1), measured };
    let outcome = load.run(|| process.cpu())?;
    let percentile = |share| outcome.latencies.percentile(share);
    Ok(Turn {
        rate: outcome.rate,
        p50: percentile(0.5),
        p99: percentile(0.99),
        p999: percentile(0.999),
        server_cpu: outcome.server_cpu,
    })
}

/// The middle one; of an even number the lower of the two in the middle. `None` of none.
pub(crate) fn median<T: PartialOrd + Copy>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The one that is in the middle by what is told of it, likewise.
pub(crate) fn middle<T, K: PartialOrd + Copy>(all: &[T], by: impl Fn(&T) -> K) -> Option<&T> {
    median(all.iter().map(by).zip(0..)).and_then(|(_, place)| all.get::<usize>(place))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::{Subject, median, middle, run};

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4, 1, 3, 2]), Some(2));
        assert_eq!(median(Vec::<u32>::new()), None);
        assert_eq!(middle(&["four", "a", "six of them", "two"], |text| text.len()), Some(&"two"));
        assert_eq!(middle(&[0_u32; 0], |number| *number), None);
    }

    #[test]
    fn turns_alternate_and_a_failing_subject_is_left_out() {
        let order = RefCell::new(Vec::new());
        let order = &order;
        let subject = |name: &'static str| Subject {
            name: name.to_owned(),
            start: Box::new(move || {
                order.borrow_mut().push(name);
                anyhow::bail!("{name} is broken")
            }),
        };
        let results = run(&[subject("a"), subject("b")], 3, 1, Duration::from_millis(1));
        assert_eq!(*order.borrow(), ["a", "b"]);
        let whys: Vec<_> = results.into_iter().map(|result| result.turns.err().unwrap_or_default()).collect();
        assert_eq!(whys, ["it does not start: a is broken", "it does not start: b is broken"]);
    }
}
