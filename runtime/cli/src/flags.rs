//! `hull flags`: variables that change while the app runs.

use std::fmt::Write as _;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::admin::{Call, Client};
use crate::options::{FlagsCommand, SetFlagOptions, UnsetFlagOptions};
use crate::terminal::{self, harmless};

/// List, set or unset.
pub(crate) async fn run(command: &FlagsCommand) -> anyhow::Result<()> {
    match command {
        FlagsCommand::List(options) => {
            let client = Client::find(&options.host)?;
            let listed: Value = client.get(&format!("{}/flags", client.app_path().await?)).await?;
            if options.host.json { terminal::print_json(&listed) } else { terminal::print(&shown(&listed)) }
        }
        FlagsCommand::Set(options) => set(options).await,
        FlagsCommand::Unset(options) => unset(options).await,
    }
}

async fn set(options: &SetFlagOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let path = format!("{}/flags/{}", client.app_path().await?, options.variable.as_str());
    let header = options.header.as_ref().map(|header| json!({ "name": header.name, "value": header.value }));
    let body = json!({
        "value": options.value,
        "percent": options.percent,
        "user": options.user,
        "header": header,
        "sticky": options.sticky,
    });
    let call = Call::new(Method::PUT, path).body("application/json", Bytes::from(body.to_string()))?;
    let listed: Value = client.json(call).await?;
    if options.host.json { terminal::print_json(&listed) } else { terminal::print(&shown(&listed)) }
}

async fn unset(options: &UnsetFlagOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let path = format!("{}/flags/{}", client.app_path().await?, options.variable.as_str());
    let header = options.header.as_ref().map(|header| ("header", format!("{}={}", header.name, header.value)));
    let query = [
        options.user.clone().map(|user| ("user", user)),
        header,
        options.share_of.clone().map(|value| ("share-of", value)),
        options.everybody.then(|| ("everybody", "true".to_owned())),
    ];
    client.send_ok(Call::new(Method::DELETE, path).query(query.into_iter().flatten())).await?;
    let variable = options.variable.as_str();
    if options.host.json {
        return terminal::print_json(&json!({ "unset": variable }));
    }
    terminal::print(&format!("{variable} is unset\n"))
}

fn shown(listed: &Value) -> String {
    let flags = listed["flags"].as_array().map(Vec::as_slice).unwrap_or_default();
    if flags.is_empty() {
        return "no flag is set\n".to_owned();
    }
    let mut text = String::new();
    for one in flags {
        let field = |key: &str| one[key].as_str().unwrap_or_default();
        let manifest =
            one["manifest"].as_str().map_or("no variable of the app".to_owned(), |value| format!("{value:?}"));
        let sticky = one["flag"]["sticky"].as_str().unwrap_or_default();
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "{}", harmless(&format!("{} (manifest: {manifest}; users by {sticky})", field("variable"))));
        for rule in one["flag"]["rules"].as_array().into_iter().flatten() {
            let field = |key: &str| rule[key].as_str().unwrap_or_default();
            let line = format!("  {:?} for {}, set by {} at {}", field("value"), whom(rule), field("by"), field("at"));
            let _ = writeln!(text, "{}", harmless(&line));
        }
    }
    text
}

fn whom(rule: &Value) -> String {
    let header = &rule["header"];
    if let Some(user) = rule["user"].as_str() {
        format!("user {user:?}")
    } else if let (Some(name), Some(value)) = (header["name"].as_str(), header["value"].as_str()) {
        format!("header {name}={value:?}")
    } else if let Some(share) = rule["share"].as_f64() {
        format!("{}%", share / 100.0)
    } else {
        "everybody".to_owned()
    }
}
