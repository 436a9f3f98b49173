//! The route: what a user was told.

use hull_sdk::health::Report;
use hull_sdk::{Request, Response, Result, Routes, response};
use serde::Serialize;

use crate::store::{self, Notification};

#[derive(Debug, Serialize)]
struct List {
    items: Vec<Notification>,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/health", health).get("/api/notifications/:user", list)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("notifications").into_response()
}

fn list(request: &Request) -> Result<Response> {
    response::ok(&List { items: store::list(request.param("user")?)? })
}
