//! A notebook: keeps notes in a database, tells of each in an event, and counts those events. `POST /notes` writes a
//! note, `GET /notes` reads them all, `GET /count` says how many events were handled.

mod answer;
mod notes;

use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

wit_bindgen::generate!({ path: "wit", world: "component", generate_all });

use exports::hull::messaging::handler::{Event, Outcome};

struct Component;

wasip2::http::proxy::export!(Component);
export!(Component);

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let answered = match (request.method(), path.as_str()) {
            (Method::Get, "/") => Ok((200, "POST a text to /notes, then GET /notes and /count\n".to_owned())),
            (Method::Get, "/health") => notes::all().map(|_| (200, "{\"status\":\"ok\"}\n".to_owned())),
            (Method::Get, "/notes") => notes::all().map(|notes| (200, notes.concat())),
            (Method::Get, "/count") => notes::counted().map(|count| (200, format!("{count}\n"))),
            (Method::Post, "/notes") => match answer::text_of(&request) {
                Some(text) => notes::add(&text).map(|id| (201, format!("note {id}\n"))),
                None => Ok((400, "send 1 to 1000 characters of text\n".to_owned())),
            },
            _ => Ok((404, "There is nothing here.\n".to_owned())),
        };
        let (status, text) = answered.unwrap_or_else(|error| {
            eprintln!("{path}: {error}");
            (500, "Something failed; the log says what.\n".to_owned())
        });
        answer::send(out, status, &text);
    }
}

impl exports::hull::messaging::handler::Guest for Component {
    /// Runs inside a unit of work: the count is kept together with the mark that this event was handled, so that an
    /// event that is delivered twice is counted once.
    fn handle(event: Event) -> Outcome {
        match notes::count_one() {
            Ok(count) => {
                println!("{} {}: {count} so far", event.subject, event.id);
                Outcome::Ok
            }
            Err(error) => {
                eprintln!("{} {}: {error}", event.subject, event.id);
                Outcome::Retry(None)
            }
        }
    }
}
