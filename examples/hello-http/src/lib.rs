//! Greets by name: the smallest service that has a route, a setting and a JSON answer.

use hull_sdk::{Check, Request, Response, Result, Routes, config, response};
use serde::Serialize;

hull_sdk::http_component!(routes);

fn routes() -> Routes {
    Routes::new().get("/hello/:name", greet)
}

#[derive(Serialize)]
struct Greeting {
    text: String,
}

fn greet(request: &Request) -> Result<Response> {
    let name = request.param("name")?;
    Check::new().text("name", name, 1..=80).done()?;
    let greeting = config::get("greeting")?.unwrap_or_else(|| "Hello".to_owned());
    response::ok(&Greeting { text: format!("{greeting}, {name}!") })
}
