//! The mobile app's front door: the few figures that fit on a small screen, in one small answer. Owns nothing; it
//! asks those who do, all at once, over WASI 0.2.

mod home;

use hull_sdk::health::Report;
use hull_sdk::{Request, Response, Result, Routes, response};

hull_sdk::http_component!(routes);

fn routes() -> Routes {
    Routes::new().get("/health", health).get("/mobile/home/:user", home)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().into_response()
}

fn home(request: &Request) -> Result<Response> {
    response::ok(&home::of(request.param("user")?)?)
}
