//! Measures Hull beside what people would use instead, all on one machine and in one run; started by
//! `cargo xtask bench`.

mod app;
mod components;
mod histogram;
mod http;
mod load;
mod machine;
mod process;
mod response;
mod rounds;
mod table;

use std::process::ExitCode;

const USAGE: &str = "usage: hull-bench http [--rounds N] [--seconds N] [--only TEXT]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(options) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match http::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<http::Options> {
    let mut words = arguments.iter();
    if words.next()? != "http" {
        return None;
    }
    let mut options = http::Options::default();
    while let Some(name) = words.next() {
        let value = words.next()?;
        match name.as_str() {
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--seconds" => options.seconds = value.parse().ok().filter(|seconds| *seconds > 0)?,
            "--only" => options.only.clone_from(value),
            _ => return None,
        }
    }
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn rounds(line: &str) -> Option<usize> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&words).map(|options| options.rounds)
    }

    #[test]
    fn options_are_read_and_mistakes_refused() {
        assert_eq!(rounds("http --rounds 3 --seconds 1 --only native"), Some(3));
        for bad in ["", "events", "http --rounds", "http --rounds 0", "http --rounds many", "http --fast 1"] {
            assert_eq!(rounds(bad), None, "{bad}");
        }
    }
}
