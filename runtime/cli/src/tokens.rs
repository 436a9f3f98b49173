//! `hull tokens`: who may do what on a host.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value, json};

use crate::admin::{Call, Client};
use crate::options::TokensCommand;
use crate::terminal::{self, harmless};

/// List, make or take back.
pub(crate) async fn run(command: &TokensCommand) -> anyhow::Result<()> {
    match command {
        TokensCommand::List(options) => {
            let listed: Value = Client::find(&options.host)?.get("/v1/tokens").await?;
            if options.host.json { terminal::print_json(&listed) } else { terminal::print(&shown(&listed)) }
        }
        TokensCommand::Add(options) => {
            let call = Call::new(Method::POST, format!("/v1/tokens/{}", options.name));
            let call = call.query([("role", options.role.to_string())]);
            let made: Value = Client::find(&options.host)?.json(call).await?;
            if options.host.json {
                return terminal::print_json(&made);
            }
            // Alone on standard output, for whoever keeps it in a file.
            eprintln!("the token {} may {}; this is the only time that it is shown:", options.name, options.role);
            terminal::print(&format!("{}\n", made["token"].as_str().unwrap_or_default()))
        }
        TokensCommand::Remove(options) => {
            let call = Call::new(Method::DELETE, format!("/v1/tokens/{}", options.name));
            Client::find(&options.host)?.send_ok(call).await?;
            if options.host.json {
                return terminal::print_json(&json!({ "removed": options.name.as_str() }));
            }
            terminal::print(&format!("the token {} is taken no more\n", options.name))
        }
    }
}

fn shown(listed: &Value) -> String {
    let mut text = String::new();
    for token in listed["tokens"].as_array().into_iter().flatten() {
        let field = |key: &str| token[key].as_str().unwrap_or_default();
        let (name, role, made_at, made_by) = (field("name"), field("role"), field("made_at"), field("made_by"));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", harmless(&format!("{name:<20}  {role:<6}  {made_at} by {made_by}")));
    }
    text
}
