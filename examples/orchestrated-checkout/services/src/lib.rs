//! Who does what a saga commands: stock, courier and payments, in one program because each of them is small here. The
//! orchestrator may send a command more than once, and an undo may overtake what it undoes. So every answer is written
//! into a ledger: a command that comes again gets the answer again, and nothing is done after it was undone.

use std::collections::BTreeMap;

use hull_sdk::{Event, Message, Outcome, Problem, Request, Response, Result, Routes, Unit, params, response, sql};
use serde::{Deserialize, Serialize};

hull_sdk::http_component!(routes);
hull_sdk::event_component!(handle);

fn routes() -> Routes {
    Routes::new().get("/:service/ledger", ledger).get("/:service/shelf/:item", shelf)
}

#[derive(Debug, Deserialize)]
struct Command {
    saga: String,
    attempt: u32,
    purchase: Purchase,
}

#[derive(Debug, Deserialize)]
struct Purchase {
    item: String,
    quantity: u32,
    card: String,
    address: String,
    busy: BTreeMap<String, u32>,
}

#[derive(Debug, Serialize)]
struct Reply<'a> {
    saga: &'a str,
    command: &'a str,
    answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Done,
    Refused(String),
    Busy,
}

/// Every command ends in an answer; what was written and the answer go out together.
fn handle(unit: &Unit, event: &Event) -> Result<Outcome> {
    let name = event.subject();
    let command: Command = event.json()?;
    let answer = match answered(&command.saga, name)? {
        Some(answer) => answer,
        // Nothing has happened, so there is nothing to write down.
        None if command.attempt <= command.purchase.busy.get(name).copied().unwrap_or(0) => Answer::Busy,
        None => {
            let answer = carry_out(name, &command)?;
            remember(unit, &command.saga, name, &answer)?;
            answer
        }
    };
    let reply = Reply { saga: &command.saga, command: name, answer };
    let service = name.split('.').next().unwrap_or(name);
    unit.publish(&Message::json(&format!("replies.{service}"), &reply)?)?;
    Ok(Outcome::Ok)
}

fn carry_out(name: &str, Command { saga, purchase, .. }: &Command) -> Result<Answer> {
    let refused = |why: &str| Ok(Answer::Refused(why.to_owned()));
    match name {
        "stock.reserve" if answered(saga, "stock.release")?.is_some() => refused("it was released already"),
        "stock.reserve" if !take(purchase)? => refused("there are not enough"),
        "stock.release" => {
            if answered(saga, "stock.reserve")? == Some(Answer::Done) {
                put_back(purchase)?;
            }
            Ok(Answer::Done)
        }
        "courier.book" if answered(saga, "courier.cancel")?.is_some() => refused("it was cancelled already"),
        "courier.book" if purchase.address == "the moon" => refused("no courier goes there"),
        "payments.charge" if purchase.card == "declined" => refused("the card was declined"),
        _ => Ok(Answer::Done),
    }
}

fn take(purchase: &Purchase) -> Result<bool> {
    let sql = "UPDATE shelf SET available = available - $2 WHERE item = $1 AND available >= $2";
    Ok(sql::execute(sql, params![&purchase.item, purchase.quantity])? == 1)
}

fn put_back(purchase: &Purchase) -> Result<()> {
    let sql = "UPDATE shelf SET available = available + $2 WHERE item = $1";
    sql::execute(sql, params![&purchase.item, purchase.quantity]).map(drop)
}

fn answered(saga: &str, command: &str) -> Result<Option<Answer>> {
    let sql = "SELECT refusal FROM ledger WHERE saga = $1 AND command = $2";
    let Some(row) = sql::query_one(sql, params![saga, command])? else { return Ok(None) };
    let refusal: Option<String> = row.get("refusal")?;
    Ok(Some(refusal.map_or(Answer::Done, Answer::Refused)))
}

fn remember(_unit: &Unit, saga: &str, command: &str, answer: &Answer) -> Result<()> {
    let refusal = if let Answer::Refused(why) = answer { Some(why.clone()) } else { None };
    let sql = "INSERT INTO ledger (saga, command, refusal) VALUES ($1, $2, $3)";
    sql::execute(sql, params![saga, command, refusal]).map(drop)
}

#[derive(Debug, Serialize)]
struct Line {
    saga: String,
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

fn ledger(_: &Request) -> Result<Response> {
    let rows = sql::query("SELECT saga, command, refusal FROM ledger ORDER BY saga, command LIMIT 5000", params![])?;
    let line = |row: &sql::Row| {
        Ok(Line { saga: row.get("saga")?, command: row.get("command")?, refusal: row.get("refusal")? })
    };
    response::ok(&rows.iter().map(line).collect::<Result<Vec<_>>>()?)
}

#[derive(Debug, Serialize)]
struct Shelf {
    available: i64,
}

fn shelf(request: &Request) -> Result<Response> {
    let item = request.param("item")?;
    let row = sql::query_one("SELECT available FROM shelf WHERE item = $1", params![item])?;
    let row = row.ok_or_else(|| Problem::not_found("item", item))?;
    response::ok(&Shelf { available: row.get("available")? })
}
