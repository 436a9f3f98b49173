//! Handles events, and publishes an event for each. Subjects are granted in `spin.toml`.

wit_bindgen::generate!({ path: "wit", world: "component", generate_all });

use exports::hull::messaging::handler::{Event, Guest, Outcome};
use hull::messaging::producer::{self, Message};

struct Component;

export!(Component);

impl Guest for Component {
    /// What is published here goes out only if the answer is `Ok`: then event and answer count, else neither does.
    fn handle(event: Event) -> Outcome {
        let Some(text) = greeting(&event.payload) else {
            // However often it is delivered, it will not become a name: lay it aside, for `hull dead-letters`.
            return Outcome::Reject("the payload is not a name in UTF-8".to_owned());
        };
        println!("{}: {text} (attempt {})", event.subject, event.attempt);
        let answer = Message {
            subject: "greetings.answered".to_owned(),
            id: None,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            payload: text.into_bytes(),
            deliver_at: None,
        };
        match producer::publish(&answer) {
            Ok(_) => Outcome::Ok,
            Err(error) => {
                eprintln!("the answer was not published: {error:?}");
                Outcome::Retry(None)
            }
        }
    }
}

/// The answer to a name.
fn greeting(payload: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(payload).ok()?.trim();
    (!name.is_empty()).then(|| format!("Hello, {name}!"))
}

#[cfg(test)]
mod tests {
    use super::greeting;

    #[test]
    fn names_are_greeted() {
        assert_eq!(greeting(b"Ada\n").as_deref(), Some("Hello, Ada!"));
        assert_eq!(greeting(b" "), None);
        assert_eq!(greeting(&[0xff]), None);
    }
}
