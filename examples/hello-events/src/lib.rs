//! A guest book by events: `POST /guests` says that somebody has arrived, the handler of that event counts, and
//! `GET /guests/:name` tells how often somebody was there. A guest without a name cannot be counted: that event is
//! laid aside.

use hull_sdk::http::StatusCode;
use hull_sdk::kv::Bucket;
use hull_sdk::{Event, Message, Outcome, Request, Response, Result, Routes, Unit, logging, messaging, response};
use serde::{Deserialize, Serialize};

hull_sdk::http_component!(routes);
hull_sdk::event_component!(count);

fn routes() -> Routes {
    Routes::new().post("/guests", arrive).get("/guests/:name", visits)
}

#[derive(Deserialize, Serialize)]
struct Arrival {
    name: String,
}

#[derive(Serialize)]
struct Visits {
    name: String,
    visits: u64,
}

/// The answer comes once the bus holds the event; it may be handled later.
fn arrive(request: &Request) -> Result<Response> {
    let arrival: Arrival = request.json()?;
    messaging::publish(&Message::json("guests.arrived", &arrival)?)?;
    response::json(StatusCode::ACCEPTED, &arrival)
}

fn visits(request: &Request) -> Result<Response> {
    let name = request.param("name")?.to_owned();
    let visits = Bucket::open("default")?.get(&key(&name))?.unwrap_or(0);
    response::ok(&Visits { name, visits })
}

/// The count and the mark that the event was handled are kept together: an event that comes twice counts once.
fn count(_unit: &Unit, event: &Event) -> Result<Outcome> {
    let arrival: Arrival = event.json()?;
    if arrival.name.trim().is_empty() {
        return Ok(Outcome::Reject("a guest needs a name".to_owned()));
    }
    let visits = Bucket::open("default")?.change(&key(&arrival.name), |visits: u64| Ok(visits + 1))?;
    logging::info("guests", &format!("{}, visit {visits}", arrival.name));
    Ok(Outcome::Ok)
}

fn key(name: &str) -> String {
    format!("visits/{name}")
}
