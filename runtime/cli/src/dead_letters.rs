//! `hull dead-letters`: events that were laid aside, each with the reason: look at them, deliver them again, delete
//! them.

mod listing;
mod render;

use http::Method;
use serde_json::{Value, json};

use crate::admin::{Call, Client};
use crate::failure::AlreadyTold;
use crate::options::{DeadLettersCommand, LetterId, ListOptions, SelectOptions, ShowOptions};
use crate::terminal;

/// Run one of the commands.
pub(crate) async fn run(command: &DeadLettersCommand) -> anyhow::Result<()> {
    match command {
        DeadLettersCommand::List(options) => list(options).await,
        DeadLettersCommand::Show(options) => show(options).await,
        DeadLettersCommand::Replay(options) => on_each(options, Act::Replay).await,
        DeadLettersCommand::Purge(options) => on_each(options, Act::Purge).await,
    }
}

async fn list(options: &ListOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let letters = listing::fetch(&client, &app, &options.filter, options.limit as usize).await?;
    if options.host.json {
        return terminal::print_json(&json!({ "dead_letters": letters }));
    }
    terminal::print(&render::list(&letters))
}

async fn show(options: &ShowOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let letter: Value = client.get(&path_of(&app, &options.letter)).await?;
    if options.host.json {
        return terminal::print_json(&letter);
    }
    terminal::print(&render::one(&letter))
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Replay,
    Purge,
}

/// Do it to those that are named, or to all that the filter leaves. Goes on after one that fails, and fails in the end.
async fn on_each(options: &SelectOptions, act: Act) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let letters = if options.all {
        // All of them are known before anything is done to one of them.
        let letters = listing::fetch(&client, &app, &options.filter, usize::MAX).await?;
        letters.iter().map(listing::id_of).collect::<anyhow::Result<_>>()?
    } else {
        options.letters.clone()
    };
    if letters.is_empty() && !options.host.json {
        return terminal::print("there are none\n");
    }
    let mut outcomes = Vec::new();
    let mut failures = 0_usize;
    for letter in letters {
        let (well, outcome) = match client_act(&client, &app, &letter, act).await {
            Ok(outcome) => outcome,
            Err(error) => (false, json!({ "outcome": "failed", "detail": format!("{error:#}") })),
        };
        failures += usize::from(!well);
        if options.host.json {
            outcomes.push(json!({ "id": letter.to_string(), "result": outcome }));
        } else {
            terminal::print(&render::outcome(&letter, &outcome))?;
        }
    }
    if options.host.json {
        terminal::print_json(&outcomes)?;
    }
    if failures == 0 { Ok(()) } else { Err(AlreadyTold.into()) }
}

/// Whether it is done with, and what to say.
async fn client_act(client: &Client, app: &str, letter: &LetterId, act: Act) -> anyhow::Result<(bool, Value)> {
    let path = path_of(app, letter);
    match act {
        Act::Replay => {
            let outcome: Value = client.json(Call::new(Method::POST, format!("{path}/replay")).of_invocation()).await?;
            let word = outcome.get("outcome").and_then(Value::as_str);
            Ok((matches!(word, Some("handled" | "already-handled")), outcome))
        }
        Act::Purge => {
            client.send_ok(Call::new(Method::DELETE, path)).await?;
            Ok((true, json!({ "outcome": "purged" })))
        }
    }
}

fn path_of(app: &str, letter: &LetterId) -> String {
    format!("{app}/components/{}/dead-letters/{}", letter.component, letter.number)
}
