//! Which handler a method and a path belong to. Pure: it knows nothing of WASI, and `H` is whatever the caller
//! wants to find.

use http::{Method, StatusCode};

use crate::problem::Problem;

/// The routes of a service, first come, first matched.
#[derive(Debug, Clone)]
pub struct Router<H> {
    routes: Vec<(Method, &'static str, H)>,
}

/// A handler and what stood in the path.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<H> {
    /// What was registered.
    pub handler: H,
    /// The path's parameters in their order.
    pub params: Vec<(&'static str, String)>,
}

/// Why there is no handler.
#[derive(Debug, PartialEq, Eq)]
pub enum Missed {
    /// No route has this path.
    Path,
    /// The path is there, with these methods.
    Method(Vec<Method>),
    /// A segment is not UTF-8 once decoded.
    NotText,
}

impl<H> Default for Router<H> {
    fn default() -> Self {
        Self { routes: Vec::new() }
    }
}

impl<H: Copy> Router<H> {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A route for any method: segments that start with `:` match one segment and hand it over.
    #[must_use]
    pub fn route(mut self, method: Method, pattern: &'static str, handler: H) -> Self {
        self.routes.push((method, pattern, handler));
        self
    }

    /// GET, and HEAD with it.
    #[must_use]
    pub fn get(self, pattern: &'static str, handler: H) -> Self {
        self.route(Method::GET, pattern, handler)
    }

    /// POST.
    #[must_use]
    pub fn post(self, pattern: &'static str, handler: H) -> Self {
        self.route(Method::POST, pattern, handler)
    }

    /// PUT.
    #[must_use]
    pub fn put(self, pattern: &'static str, handler: H) -> Self {
        self.route(Method::PUT, pattern, handler)
    }

    /// DELETE.
    #[must_use]
    pub fn delete(self, pattern: &'static str, handler: H) -> Self {
        self.route(Method::DELETE, pattern, handler)
    }

    /// Find the handler.
    pub fn find(&self, method: &Method, path: &str) -> Result<Found<H>, Missed> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let mut others = Vec::new();
        for (of, pattern, handler) in &self.routes {
            let Some(raw) = matched(pattern, path) else { continue };
            if of != method {
                others.push(of.clone());
                continue;
            }
            let params = raw.into_iter().map(|(name, text)| Some((name, decoded(text)?)));
            let params = params.collect::<Option<Vec<_>>>().ok_or(Missed::NotText)?;
            return Ok(Found { handler: *handler, params });
        }
        Err(if others.is_empty() { Missed::Path } else { Missed::Method(others) })
    }
}

impl Missed {
    /// What a request without a handler is told.
    pub fn into_problem(self, path: &str) -> Problem {
        match self {
            Self::Path => Problem::new(StatusCode::NOT_FOUND, format!("nothing is at {path}")),
            Self::NotText => Problem::bad_request("the path is not UTF-8"),
            Self::Method(methods) => {
                let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
                let allowed = names.join(", ");
                let told = format!("{path} takes {allowed}");
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, told).allowing(&allowed)
            }
        }
    }
}

/// The parameters as they stand in the path, if it has the pattern's shape. A parameter is never empty.
fn matched<'p>(pattern: &'static str, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut params = Vec::new();
    let mut given = path.split('/');
    for expected in pattern.split('/') {
        let segment = given.next()?;
        match expected.strip_prefix(':') {
            Some(name) if !segment.is_empty() => params.push((name, segment)),
            None if expected == segment => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(params)
}

fn decoded(segment: &str) -> Option<String> {
    percent_encoding::percent_decode_str(segment).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router<u8> {
        Router::new()
            .get("/health", 0)
            .post("/api/orders/_rebuild", 1)
            .get("/api/orders/:id", 2)
            .post("/api/orders/:id/cancel", 3)
            .put("/api/carts/:user/items/:product", 4)
            .delete("/api/carts/:user/items/:product", 5)
    }

    fn find(method: &Method, path: &str) -> Result<(u8, Vec<String>), Missed> {
        let found = router().find(method, path)?;
        Ok((found.handler, found.params.into_iter().map(|(_, value)| value).collect()))
    }

    #[test]
    fn finds_by_method_and_shape() {
        assert_eq!(find(&Method::GET, "/health"), Ok((0, vec![])));
        assert_eq!(find(&Method::HEAD, "/health"), Ok((0, vec![])));
        assert_eq!(find(&Method::POST, "/api/orders/_rebuild"), Ok((1, vec![])));
        assert_eq!(find(&Method::GET, "/api/orders/o%201"), Ok((2, vec!["o 1".into()])));
        assert_eq!(find(&Method::DELETE, "/api/carts/u/items/p"), Ok((5, vec!["u".into(), "p".into()])));
    }

    #[test]
    fn says_why_not() {
        assert_eq!(find(&Method::GET, "/api/orders/"), Err(Missed::Path));
        assert_eq!(find(&Method::GET, "/api/orders/1/2"), Err(Missed::Path));
        assert_eq!(find(&Method::GET, "/health/"), Err(Missed::Path));
        let both = Missed::Method(vec![Method::PUT, Method::DELETE]);
        assert_eq!(find(&Method::GET, "/api/carts/u/items/p"), Err(both));
        assert_eq!(find(&Method::GET, "/api/orders/%ff"), Err(Missed::NotText));
    }

    #[test]
    fn a_wrong_method_is_told_with_the_right_ones() {
        let response = Missed::Method(vec![Method::PUT, Method::DELETE]).into_problem("/x").into_response(None);
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "PUT, DELETE");
    }
}
