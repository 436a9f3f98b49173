//! Chaos: the shop under load while its processes are killed, paused and cut off, and its files torn. Whatever happens,
//! nothing acknowledged is lost and nothing happens twice. Every choice comes from a seed that is printed; `cargo xtask
//! chaos` runs the same for minutes.

mod audit;
mod backends;
mod birth;
mod books;
mod buyer;
mod clerk;
mod database;
mod disk;
mod fault;
mod journal;
mod market;
mod network;
mod plan;
mod quiet;
mod random;
mod run;
mod stage;
mod street;
mod torn;

use backends::Pair;
use plan::{Plan, Promise};

#[test]
fn embedded_sqlite() -> anyhow::Result<()> {
    holds(Pair::EmbeddedSqlite)
}

#[test]
fn nats_sqlite() -> anyhow::Result<()> {
    holds(Pair::NatsSqlite)
}

#[test]
fn nats_postgres() -> anyhow::Result<()> {
    holds(Pair::NatsPostgres)
}

#[test]
fn a_host_that_dies_while_it_is_born_comes_back() -> anyhow::Result<()> {
    let plan = Plan::asked_for(Pair::EmbeddedSqlite)?;
    birth::killed(&plan)
}

#[test]
fn without_handled_marks_something_happens_twice() -> anyhow::Result<()> {
    notices(Promise::HandledMarks, "times")
}

#[test]
fn without_the_outbox_something_is_lost() -> anyhow::Result<()> {
    notices(Promise::Outbox, "never")
}

fn holds(pair: Pair) -> anyhow::Result<()> {
    let outcome = run::run(&Plan::asked_for(pair)?)?;
    outcome.print();
    anyhow::ensure!(outcome.flaws.is_empty(), "{outcome}");
    Ok(())
}

/// The harness is worth something only if it finds what a host does wrong that breaks one promise.
fn notices(promise: Promise, word: &str) -> anyhow::Result<()> {
    let plan = Plan::breaking(promise)?;
    for round in 1..=plan::ROUNDS_MAX {
        let outcome = run::run(&plan.round(round))?;
        if let Some(flaw) = outcome.flaws.iter().find(|flaw| flaw.contains(word)) {
            println!("noticed in round {round}, seed {}: {flaw}", plan.seed);
            return Ok(());
        }
    }
    anyhow::bail!(
        "{} rounds with seed {} and a host that breaks a promise: nothing was noticed",
        plan::ROUNDS_MAX,
        plan.seed
    )
}
