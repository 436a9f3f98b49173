//! Answers HTTP requests. Which ones reach it is said in `spin.toml`.

use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Component;

wasip2::http::proxy::export!(Component);

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (status, text) = route(&request.method(), &path);
        answer(out, status, &text);
    }
}

/// What is answered where.
fn route(method: &Method, path: &str) -> (u16, String) {
    match (method, path) {
        (Method::Get, "/") => (200, "Hello! Try /hello/ada\n".to_owned()),
        (Method::Get, "/health") => (200, "{\"status\":\"ok\"}\n".to_owned()),
        (Method::Get, path) if path.starts_with("/hello/") => {
            (200, format!("Hello, {}!\n", path.trim_start_matches("/hello/")))
        }
        _ => (404, "There is nothing here.\n".to_owned()),
    }
}

fn answer(out: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("taken once");
    // The head goes out first, then the body.
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("taken once");
    // A client that has gone away is nobody to tell.
    let _ = stream.blocking_write_and_flush(text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

#[cfg(test)]
mod tests {
    use super::{Method, route};

    #[test]
    fn people_are_greeted_by_name() {
        assert_eq!(route(&Method::Get, "/hello/ada"), (200, "Hello, ada!\n".to_owned()));
        assert_eq!(route(&Method::Post, "/hello/ada").0, 404);
    }
}
