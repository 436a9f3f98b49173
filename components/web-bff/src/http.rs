//! The routes: the home page of a user.

use hull_sdk::health::Report;
use hull_sdk::{Request, Response, Result, Router, response};

use crate::home;

/// What can be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    Health,
    Home,
}

/// The routes of this service.
pub(crate) fn routes() -> Router<Route> {
    Router::new().get("/health", Route::Health).get("/web/home/:user", Route::Home)
}

/// Answer a request.
pub(crate) async fn answer(route: Route, request: Request) -> Result<Response> {
    match route {
        Route::Health => Report::new().into_response(),
        Route::Home => response::ok(&home::of(request.param("user")?).await?),
    }
}
