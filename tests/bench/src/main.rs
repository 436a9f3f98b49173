//! Measures Hull beside what people would use instead, and what it does under attack and overload, all on one machine
//! and in one run; started by `cargo xtask bench`.

mod app;
mod attacker;
mod attacks;
mod clients;
mod components;
mod connection;
mod events;
mod exchange;
mod handlers;
mod histogram;
mod http;
mod load;
mod machine;
mod nats;
mod neighbour;
mod neighbour_table;
mod options;
mod overload;
mod overload_table;
mod postgres;
mod process;
mod publisher;
mod response;
mod rounds;
mod schedule;
mod silent;
mod stage;
mod swap;
mod table;
mod tally;
mod ticker;
mod verdict;
mod watch;
mod witness;

use std::process::ExitCode;

use options::Bench;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(bench) = options::parse(&arguments) else {
        eprintln!("{}", options::USAGE);
        return ExitCode::from(2);
    };
    let measured = match bench {
        Bench::Http(options) => http::run(&options),
        Bench::Neighbour(options) => neighbour::run(&options),
        Bench::Overload(options) => overload::run(&options),
        Bench::Swap(options) => swap::run(&options),
        Bench::Many(options) => swap::run_many(&options),
        Bench::Events(options) => events::run(&options),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
