//! The `hull` binary: commands, and the wiring of the host that `hull up` and `hull host` run.

mod admin;
mod allocator;
mod audit;
mod build;
mod check;
mod compile;
mod dead_letters;
mod deploy;
mod events;
mod failure;
mod fetching;
mod flags;
mod history;
mod inspection;
mod invoke;
mod logs;
mod manifest_files;
mod ndjson;
mod new;
mod options;
mod payload;
mod progress;
mod publish;
mod remove;
mod rollback;
mod rollout;
mod serving;
mod signing;
mod status;
mod table;
mod terminal;
mod tokens;
mod up;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

use crate::options::{Cli, Command};
use crate::serving::Serving;

fn main() -> ExitCode {
    // A wrong use ends here, with status 2.
    let done = match Cli::parse().command {
        Command::Up(options) => up::run(options),
        Command::Host(options) => serving::run(Serving::daemon(options)),
        Command::Build(options) => build::run(&options),
        Command::Check(options) => admin::block_on(check::run(&options)),
        Command::New(options) => new::run(&options),
        Command::Status(options) => admin::block_on(status::run(&options)),
        Command::Logs(options) => admin::block_on(logs::run(&options)),
        Command::Invoke(options) => admin::block_on(invoke::run(&options)),
        Command::Publish(options) => admin::block_on(publish::run(&options)),
        Command::Events(command) => admin::block_on(events::run(&command)),
        Command::DeadLetters(command) => admin::block_on(dead_letters::run(&command)),
        Command::Deploy(options) => admin::block_on(deploy::run(&options)),
        Command::Verify(options) => admin::block_on(verify::run(&options)),
        Command::Rollout(options) => admin::block_on(rollout::run(&options)),
        Command::Rollback(options) => admin::block_on(rollback::run(&options)),
        Command::Flags(command) => admin::block_on(flags::run(&command)),
        Command::Remove(options) => admin::block_on(remove::run(&options)),
        Command::History(options) => admin::block_on(history::run(&options)),
        Command::Diff(options) => admin::block_on(history::diff(&options)),
        Command::Audit(options) => audit::run(&options),
        Command::Tokens(command) => admin::block_on(tokens::run(&command)),
        Command::Keygen(options) => signing::keygen(&options),
        Command::Sign(options) => signing::sign(&options),
        Command::CompileComponent(options) => return compile::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
