//! Flags: what is set, setting and unsetting.

use std::sync::Arc;

use http::StatusCode;
use hull_manifest::{App, Name, StickyBy, VariableName};
use hull_rollout::{Rule, Share, When, Which};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Problem, json_ok, no_content};
use super::audit::{Did, audited};
use super::revisions::named;
use super::route::{Actor, Asked};
use crate::flags::{FlagRecord, FlagsError};
use crate::node::Node;

impl From<FlagsError> for Problem {
    fn from(error: FlagsError) -> Self {
        let status = match error {
            FlagsError::Rule(_) => StatusCode::UNPROCESSABLE_ENTITY,
            FlagsError::Missing { .. } => StatusCode::NOT_FOUND,
            FlagsError::Damaged { .. } | FlagsError::Io { .. } => StatusCode::INSUFFICIENT_STORAGE,
        };
        Self::new(status, error)
    }
}

/// What is to be set; for at most one of user, header and percent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    value: String,
    user: Option<String>,
    header: Option<Header>,
    percent: Option<f64>,
    sticky: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    value: String,
}

impl Setting {
    fn when(&mut self) -> Result<When, Problem> {
        match (self.user.take(), self.header.take(), self.percent) {
            (None, None, None) => Ok(When::Everybody),
            (Some(user), None, None) => Ok(When::User(user)),
            (None, Some(Header { name, value }), None) => {
                let name: http::HeaderName = name
                    .parse()
                    .map_err(|_| Problem::bad_request(format!("{name:?} cannot be the name of a header")))?;
                Ok(When::Header { name: name.as_str().to_owned(), value })
            }
            (None, None, Some(percent)) => {
                let wrong =
                    || Problem::bad_request("`percent` is a number from 0 to 100, with two decimals at the most");
                let hundredths = (percent * 100.0).round();
                if !(0.0..=10_000.0).contains(&hundredths) {
                    return Err(wrong());
                }
                Share::from_hundredths(hundredths as u32).map(When::Share).ok_or_else(wrong)
            }
            _ => Err(Problem::bad_request("a rule is for a user, a header or a share, and not for several")),
        }
    }
}

fn told(when: &When) -> String {
    match when {
        When::User(user) => format!("for the user {user:?}"),
        When::Header { name, value } => format!("for whoever sends {name}: {value}"),
        When::Share(share) => format!("for {share} of all users"),
        When::Everybody => "for everybody".to_owned(),
    }
}

/// The app as it serves.
async fn serving(node: &Node, app: &str) -> Result<(Name, Arc<App>), Problem> {
    let name = named(app)?;
    let found = node.apps.read().await.get(app).map(|deployed| Arc::clone(&deployed.app));
    found.map(|app| (name, app)).ok_or_else(|| Problem::not_found(format!("there is no app {app:?}")))
}

pub(super) async fn list(node: &Node, app: &str) -> Answer {
    let (name, app) = serving(node, app).await?;
    let flags = node.flags.now(&name)?;
    let one = |(variable, flag): (&str, &hull_rollout::Flag)| -> Value {
        let known = variable.parse::<VariableName>().ok().and_then(|variable| app.variables.get(&variable));
        let manifest = known.filter(|known| !known.secret).and_then(|known| known.value.clone());
        json!({ "variable": variable, "manifest": manifest, "flag": FlagRecord::of(flag) })
    };
    let shown: Vec<Value> = flags.all().map(one).collect();
    json_ok(&json!({ "flags": shown }))
}

pub(super) async fn set(node: &Arc<Node>, app: &str, variable: &str, asked: &Asked, actor: Actor) -> Answer {
    let (name, app) = serving(node, app).await?;
    let variable = variable_of(&app, variable)?;
    let wrong = |why: &dyn std::fmt::Display| Problem::bad_request(format!("the body is no rule: {why}"));
    let mut setting: Setting = serde_json::from_slice(&asked.body).map_err(|error| wrong(&error))?;
    let sticky = setting.sticky.take().map(|text| text.parse::<StickyBy>()).transpose();
    let sticky = sticky.map_err(|why| Problem::bad_request(format!("`sticky`: {why}")))?;
    let (when, value) = (setting.when()?, setting.value);
    let did = Did::new(&actor, "flags set", name.as_str(), format!("{variable} = {value:?} {}", told(&when)));
    let rule = Rule { when, value, by: actor.name.to_string(), at: hull_clock::rfc3339_now() };
    audited(node, did, async {
        let seed = hull_clock::random_u64();
        node.flags.change(&name, |flags| Ok(flags.set(variable.as_str(), sticky, seed, rule)?)).await?;
        list(node, name.as_str()).await
    })
    .await
}

pub(super) async fn unset(node: &Arc<Node>, app: &str, variable: &str, asked: &Asked, actor: Actor) -> Answer {
    let name = named(app)?;
    let query = |key: &str| asked.query.get(key).cloned();
    let header = query("header").map(|text| {
        let pair = text.split_once('=').map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        pair.ok_or_else(|| Problem::bad_request("`header` is NAME=VALUE"))
    });
    let which = match (query("user"), header.transpose()?, query("share-of"), query("everybody")) {
        (None, None, None, None) => Which::All,
        (Some(user), None, None, None) => Which::User(user),
        (None, Some((name, value)), None, None) => Which::Header { name, value },
        (None, None, Some(value), None) => Which::ShareOf(value),
        (None, None, None, Some(_)) => Which::Everybody,
        _ => return Err(Problem::bad_request("one of `user`, `header`, `share-of` and `everybody`, or none for all")),
    };
    let did = Did::new(&actor, "flags unset", app, format!("{variable}: {}", gone(&which)));
    audited(node, did, async {
        let missing = || FlagsError::Missing { app: app.to_owned(), variable: variable.to_owned() };
        let unset = |flags: &mut hull_rollout::Flags| match flags.unset(variable, &which) {
            0 => Err(missing()),
            _ => Ok(()),
        };
        node.flags.change(&name, unset).await?;
        no_content()
    })
    .await
}

fn gone(which: &Which) -> String {
    match which {
        Which::All => "all rules".to_owned(),
        Which::User(user) => told(&When::User(user.clone())),
        Which::Header { name, value } => told(&When::Header { name: name.clone(), value: value.clone() }),
        Which::ShareOf(value) => format!("the share of {value:?}"),
        Which::Everybody => told(&When::Everybody),
    }
}

/// A variable of the app whose value may be told.
fn variable_of(app: &App, text: &str) -> Result<VariableName, Problem> {
    let missing = || {
        let what = format!(
            "app {} has no variable {text:?}; declare it in [variables] of spin.toml, with a default",
            app.name
        );
        Problem::not_found(what)
    };
    let name: VariableName = text.parse().map_err(|_| missing())?;
    let variable = app.variables.get(&name).ok_or_else(missing)?;
    if variable.secret {
        let what = format!("variable {name} is secret: a flag would keep its value on disk and in the audit log");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what));
    }
    Ok(name)
}
