//! The command line: which bench, and how thorough.

use crate::attacks::Attack;
use crate::{events, http, neighbour, overload, swap};

/// For those who mistyped.
pub(crate) const USAGE: &str = "\
usage: hull-bench http [--rounds N] [--seconds N] [--only TEXT]
       hull-bench neighbour [--rounds N] [--seconds N] [--attacks NAME,NAME…] [--only hull|default|unfair|native]
       hull-bench overload [--rounds N] [--seconds N]
       hull-bench swap [--rounds N] [--swaps N] [--revisions N] [--every MILLISECONDS]
       hull-bench many [--components N]
       hull-bench events [--rounds N] [--events N] [--only TEXT]

attacks: spin, memory, flood, downstream, storm, logs, storage, panics, deploys";

/// What to run.
pub(crate) enum Bench {
    /// Throughput and latency beside others.
    Http(http::Options),
    /// What a neighbour can do to a component.
    Neighbour(neighbour::Options),
    /// What is left of a component under too many requests.
    Overload(overload::Options),
    /// What requests notice of versions that are replaced.
    Swap(swap::Options),
    /// Very many components that nobody calls.
    Many(swap::ManyOptions),
    /// Events handled, over each bus and beside native code.
    Events(events::Options),
}

/// Nothing for anything that is not understood.
pub(crate) fn parse(arguments: &[String]) -> Option<Bench> {
    let (name, rest) = arguments.split_first()?;
    let (pairs, left) = rest.as_chunks::<2>();
    if !left.is_empty() {
        return None;
    }
    let pairs = pairs.iter().map(|[name, value]| (name.as_str(), value.as_str()));
    match name.as_str() {
        "http" => http(pairs).map(Bench::Http),
        "neighbour" => neighbour(pairs).map(Bench::Neighbour),
        "overload" => overload(pairs).map(Bench::Overload),
        "swap" => swap(pairs).map(Bench::Swap),
        "many" => many(pairs).map(Bench::Many),
        "events" => events(pairs).map(Bench::Events),
        _ => None,
    }
}

fn http<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<http::Options> {
    let mut options = http::Options::default();
    for (name, value) in pairs {
        match name {
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--seconds" => options.seconds = count(value)?,
            "--only" => value.clone_into(&mut options.only),
            _ => return None,
        }
    }
    Some(options)
}

fn neighbour<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<neighbour::Options> {
    let mut options = neighbour::Options::default();
    for (name, value) in pairs {
        match name {
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--seconds" => options.seconds = count(value)?,
            "--only" => value.clone_into(&mut options.only),
            "--attacks" => options.attacks = value.split(',').map(Attack::named).collect::<Option<_>>()?,
            _ => return None,
        }
    }
    Some(options)
}

fn overload<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<overload::Options> {
    let mut options = overload::Options::default();
    for (name, value) in pairs {
        match name {
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--seconds" => options.seconds = count(value)?,
            _ => return None,
        }
    }
    Some(options)
}

fn swap<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<swap::Options> {
    let mut options = swap::Options::default();
    for (name, value) in pairs {
        match name {
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--swaps" => options.swaps = value.parse().ok().filter(|swaps| *swaps > 0)?,
            "--revisions" => options.revisions = value.parse().ok().filter(|revisions| *revisions > 0)?,
            "--every" => options.every_ms = count(value)?,
            _ => return None,
        }
    }
    Some(options)
}

fn many<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<swap::ManyOptions> {
    let mut options = swap::ManyOptions::default();
    for (name, value) in pairs {
        match name {
            // As many as an app may have.
            "--components" => options.components = value.parse().ok().filter(|count| (2..=1024).contains(count))?,
            _ => return None,
        }
    }
    Some(options)
}

fn events<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<events::Options> {
    let mut options = events::Options::default();
    for (name, value) in pairs {
        match name {
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--events" => options.events = count(value)?,
            "--only" => value.clone_into(&mut options.only),
            _ => return None,
        }
    }
    Some(options)
}

fn count(value: &str) -> Option<u64> {
    value.parse().ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::{Bench, parse};
    use crate::attacks::Attack;

    fn parsed(line: &str) -> Option<Bench> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn options_are_read() {
        let Some(Bench::Http(http)) = parsed("http --rounds 3 --seconds 1 --only native") else { panic!("http") };
        assert_eq!((http.rounds, http.seconds, http.only.as_str()), (3, 1, "native"));
        let Some(Bench::Neighbour(neighbour)) = parsed("neighbour --attacks spin,deploys") else { panic!("neighbour") };
        assert_eq!(
            (neighbour.rounds, neighbour.seconds, neighbour.attacks),
            (3, 20, vec![Attack::Spin, Attack::Deploys])
        );
        let Some(Bench::Overload(overload)) = parsed("overload --rounds 2 --seconds 4") else { panic!("overload") };
        assert_eq!((overload.rounds, overload.seconds), (2, 4));
        let Some(Bench::Events(events)) = parsed("events --rounds 2 --events 10") else { panic!("events") };
        assert_eq!((events.rounds, events.events), (2, 10));
        let Some(Bench::Swap(swap)) = parsed("swap --swaps 3 --revisions 2 --every 400") else { panic!("swap") };
        assert_eq!((swap.swaps, swap.revisions, swap.every_ms), (3, 2, 400));
        let Some(Bench::Many(many)) = parsed("many --components 5") else { panic!("many") };
        assert_eq!(many.components, 5);
    }

    #[test]
    fn mistakes_are_refused() {
        for bad in [
            "",
            "event",
            "events --events 0",
            "http --rounds",
            "http --rounds 0",
            "http --rounds many",
            "http --fast 1",
            "neighbour --attacks spin,kindness",
            "neighbour --seconds 0",
            "neighbour --rounds 0",
            "overload --rounds 0",
            "swap --every 0",
            "many --components 2000",
        ] {
            assert!(parsed(bad).is_none(), "{bad}");
        }
    }
}
