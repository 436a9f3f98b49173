//! The project's own tasks, `cargo xtask …`: set-up, up, test, bench, tidy. It compiles in seconds, because it
//! runs before anything else is built.

mod bench;
mod chaos;
mod faketime;
mod guests;
mod nats;
mod packages;
mod postgres;
mod registry;
mod summary;
mod test;
mod tidy;
mod toolchain;
mod up;
mod workspace;

use std::process::ExitCode;

use up::Bus;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask TASK

  up [-- ARGS…]     build everything and run the shop; ARGS go to `hull up`
  up --nats         the same with its events on a nats-server of its own
  test [FILTER]     set up, check and test everything; FILTER picks tests by name
  bench http        measure HTTP throughput and latency beside native code
  bench neighbour   measure what a component notices of a neighbour that does its worst
  bench events      measure how fast events are handled over each bus, beside native code
  bench swap        measure what clients notice of deployments, one after the other
  bench many        measure what a thousand components cost that nobody calls
  bench overload    measure what is left of a component that is offered ten times what it carries
  chaos [--minutes N] [--seed S] [--pair P] [--break PROMISE]
                    run the shop under load while its processes are killed, and look whether promises hold
  tidy              check what compilers do not: dependency edges, sizes, names, links
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["up"] => up::run(&workspace, Bus::AsConfigured, &[]),
        ["up", "--", rest @ ..] => up::run(&workspace, Bus::AsConfigured, rest),
        ["up", "--nats"] => up::run(&workspace, Bus::Nats, &[]),
        ["up", "--nats", "--", rest @ ..] => up::run(&workspace, Bus::Nats, rest),
        ["test"] => test::run(&workspace, None),
        ["test", filter] if !filter.starts_with('-') => test::run(&workspace, Some(filter)),
        ["bench", name @ ("http" | "neighbour" | "overload" | "events" | "swap" | "many"), rest @ ..] => {
            bench::run(&workspace, name, rest)
        }
        ["chaos", rest @ ..] => chaos::run(&workspace, rest),
        ["tidy"] => tidy::run(&workspace),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprint!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}
