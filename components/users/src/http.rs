//! The routes: register a user, look one up.

use hull_sdk::health::Report;
use hull_sdk::http::StatusCode;
use hull_sdk::{Check, Error, Problem, Request, Response, Result, Routes, clock, ids, response};
use serde::Deserialize;

use crate::store::{self, User};

const NAME_CHARS_MAX: usize = 100;
const EMAIL_CHARS_MAX: usize = 254;

/// What is asked for a new user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    email: String,
    name: String,
}

/// The routes of this service.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/health", health).post("/api/users", register).get("/api/users/:id", show)
}

fn health(_request: &Request) -> Result<Response> {
    Report::new().table("users").into_response()
}

fn register(request: &Request) -> Result<Response> {
    let asked: Registration = request.json()?;
    let email = asked.email.trim().to_lowercase();
    let mut check = Check::new();
    check.that(is_email(&email), "email", "must be an email address such as ada@example.com");
    check.text("name", &asked.name, 1..=NAME_CHARS_MAX).done()?;

    let name = asked.name.trim().to_owned();
    let user = User { id: ids::new_id(), email, name, created_at: clock::now_ms() };
    store::add(&user).map_err(|error| taken(error, &user.email))?;
    response::located(StatusCode::CREATED, &format!("/api/users/{}", user.id), &user)
}

fn taken(error: Error, email: &str) -> Error {
    if !error.is_unique_violation() {
        return error;
    }
    Problem::conflict(format!("{email} belongs to another user")).with_field("email").into()
}

fn show(request: &Request) -> Result<Response> {
    let id = request.param("id")?;
    let user = store::find(id)?.ok_or_else(|| Problem::not_found("user", id))?;
    response::ok(&user)
}

/// What any mail server would take for an address; whether it is read by anyone, only a mail can tell.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let label = |l: &str| {
        !l.is_empty() && l.chars().all(|c| c.is_alphanumeric() || c == '-') && !l.starts_with('-') && !l.ends_with('-')
    };
    text.len() <= EMAIL_CHARS_MAX
        && !local.is_empty()
        && !local.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@')
        && domain.contains('.')
        && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_text() {
        for good in ["ada@example.com", "a.b+c@mail.example.co.uk", "ü@bücher.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "a@b@c.de", "a@-b.de", "a@b..de"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
