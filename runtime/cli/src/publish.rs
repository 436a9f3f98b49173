//! `hull publish`: hands an event to the bus, as a component's would be.

use http::{HeaderName, Method};
use serde_json::Value;

use crate::admin::{Call, Client};
use crate::options::PublishOptions;
use crate::{payload, terminal};

const EVENT_ID: HeaderName = HeaderName::from_static("ce-id");

/// Publish and print the event's id.
pub(crate) async fn run(options: &PublishOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let content = payload::of_file_or_stdin(options.file.as_deref())?;
    let kind = options.content_type.as_deref().unwrap_or_else(|| payload::kind_of(&content)).to_owned();
    let mut call = Call::new(Method::POST, format!("{app}/events/{}", escaped(&options.subject)));
    if let Some(id) = &options.id {
        call = call.header(EVENT_ID, id)?;
    }
    let published: Value = client.json(call.body(&kind, content)?).await?;
    if options.host.json {
        return terminal::print_json(&published);
    }
    terminal::print(&render(&options.subject, &published))
}

/// A subject as one segment of a path: it may have characters that paths may not.
fn escaped(subject: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~');
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    subject.bytes().map(escape).collect()
}

fn render(subject: &str, published: &Value) -> String {
    let id = published.get("id").and_then(Value::as_str).unwrap_or("without an id");
    let sequence = published.get("sequence").map(|sequence| format!(", number {sequence} of the stream"));
    if published.get("duplicate") == Some(&Value::Bool(true)) {
        return format!("{subject} {id} was published before, with the same content\n");
    }
    format!("published {subject} {id}{}\n", sequence.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{escaped, render};

    #[test]
    fn a_subject_is_one_segment() {
        assert_eq!(escaped("orders.created"), "orders.created");
        assert_eq!(escaped("a/b?c%"), "a%2Fb%3Fc%25");
    }

    #[test]
    fn a_duplicate_is_told() {
        let fresh = render("a.b", &json!({ "id": "7", "sequence": 3, "duplicate": false }));
        assert_eq!(fresh, "published a.b 7, number 3 of the stream\n");
        assert!(render("a.b", &json!({ "id": "7", "duplicate": true })).contains("was published before"));
    }
}
