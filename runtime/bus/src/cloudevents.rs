//! Events as NATS headers: the binary mode of the CloudEvents binding for NATS. Pure; `hull publish` and the NATS
//! backend speak it.

use bytes::Bytes;
use hull_invocation::{Event, EventKey};

const SPEC_VERSION: (&str, &str) = ("ce-specversion", "1.0");
const ID: &str = "ce-id";
const SOURCE: &str = "ce-source";
const TYPE: &str = "ce-type";
const TIME: &str = "ce-time";
/// How long an attribute may be: those that Hull sends are no longer, and a key has to fit into an index.
const ATTRIBUTE_BYTES_MAX: usize = 256;

/// Headers that make no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Another version of CloudEvents.
    #[error("ce-specversion {0:?} is not known; Hull speaks 1.0")]
    SpecVersion(String),
    /// A header that cannot be sent.
    #[error(
        "header {0:?} cannot be sent: names are visible ASCII without ':' and do not begin with ce- or nats-, values \
         have no line breaks"
    )]
    Header(String),
}

/// Where the stream put a message that came without attributes.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its sequence.
    pub sequence: u64,
    /// When it came, in milliseconds since 1970.
    pub time_ms: u64,
}

/// The headers of an event: its attributes and its own, which may not be named like attributes. The type is the
/// subject.
pub fn headers_of_event(event: &Event) -> Result<Vec<(String, String)>, HeaderError> {
    let mut headers = vec![(SPEC_VERSION.0.to_owned(), SPEC_VERSION.1.to_owned())];
    let attributes = [(ID, &event.key.id), (SOURCE, &event.key.source), (TYPE, &event.subject), (TIME, &event.time)];
    for (name, value) in attributes {
        if !value.is_empty() {
            headers.push((name.to_owned(), check(name, value)?));
        }
    }
    for (name, value) in &event.headers {
        let lower = name.to_ascii_lowercase();
        let sendable = !lower.is_empty() && lower.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if !sendable || lower.starts_with("ce-") || lower.starts_with("nats-") {
            return Err(HeaderError::Header(name.clone()));
        }
        headers.push((lower, check(name, value)?));
    }
    Ok(headers)
}

/// The event of a message. What it does not say of itself, or in a way that cannot be kept, its place in the stream
/// says: so a plain `nats pub` is an event as well.
pub fn event_from_headers(
    app: &str,
    subject: &str,
    headers: impl IntoIterator<Item = (String, String)>,
    payload: Bytes,
    place: Place,
) -> Result<Event, HeaderError> {
    let headers: Vec<_> = headers.into_iter().collect();
    match other_version(&headers) {
        Some(version) => Err(HeaderError::SpecVersion(version.to_owned())),
        None => Ok(assemble(app, subject, headers, payload, place, true)),
    }
}

/// The event of a message that is in the stream and has to be delivered, whatever it is. One that speaks another
/// version of CloudEvents is a message without attributes: what it says of itself are headers for the handler to read.
pub(crate) fn event_of_message(
    app: &str,
    subject: &str,
    headers: Vec<(String, String)>,
    payload: Bytes,
    place: Place,
) -> Event {
    let is_known = other_version(&headers).is_none();
    assemble(app, subject, headers, payload, place, is_known)
}

fn other_version(headers: &[(String, String)]) -> Option<&str> {
    let version = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(SPEC_VERSION.0));
    version.map(|(_, version)| version.as_str()).filter(|version| *version != SPEC_VERSION.1)
}

fn assemble(
    app: &str,
    subject: &str,
    headers: Vec<(String, String)>,
    payload: Bytes,
    place: Place,
    has_attributes: bool,
) -> Event {
    let mut key = EventKey { source: String::new(), id: String::new() };
    let (mut time, mut own) = (String::new(), Vec::new());
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            ID if has_attributes => key.id = kept(value),
            SOURCE if has_attributes => key.source = kept(value),
            TIME if has_attributes => time = kept(value),
            name if has_attributes && (name == SPEC_VERSION.0 || name == TYPE) => {}
            name if name.starts_with("nats-") => {}
            _ => own.push((name, value)),
        }
    }
    if key.source.is_empty() {
        key.source = format!("hull:{app}:stream");
    }
    if key.id.is_empty() {
        key.id = format!("{}.{}", place.sequence, place.time_ms);
    }
    if time.is_empty() {
        time = hull_clock::rfc3339(place.time_ms);
    }
    Event { key, subject: subject.to_owned(), time, headers: own, payload }
}

/// An attribute that a database can keep; any other counts as absent. PostgreSQL refuses a NUL and all that comes with
/// it.
fn kept(value: String) -> String {
    let fits = value.len() <= ATTRIBUTE_BYTES_MAX && !value.chars().any(char::is_control);
    if fits { value } else { String::new() }
}

fn check(name: &str, value: &str) -> Result<String, HeaderError> {
    if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(HeaderError::Header(name.to_owned()));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hull_invocation::{Event, EventKey};

    use super::{HeaderError, Place, event_from_headers, event_of_message, headers_of_event};

    const PLACE: Place = Place { sequence: 7, time_ms: 1_709_251_199_999 };

    fn event() -> Event {
        Event {
            key: EventKey { source: "/shop/orders".into(), id: "e-1".into() },
            subject: "orders.created".into(),
            time: "2026-01-01T00:00:00.000Z".into(),
            headers: vec![("traceparent".into(), "00-ab-cd-01".into()), ("x-correlation-id".into(), "c".into())],
            payload: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn events_survive_the_round_trip() {
        let headers = headers_of_event(&event()).expect("sendable");
        assert!(headers.contains(&("ce-type".into(), "orders.created".into())));
        let back = event_from_headers("shop", "orders.created", headers, event().payload, PLACE);
        assert_eq!(back, Ok(event()));
    }

    #[test]
    fn a_plain_message_gets_its_place_for_a_name() {
        let headers = [("Nats-Msg-Id".to_owned(), "x".to_owned()), ("X-Own".to_owned(), "y".to_owned())];
        let event = event_from_headers("shop", "a.b", headers, Bytes::new(), PLACE).expect("an event");
        assert_eq!(event.key, EventKey { source: "hull:shop:stream".into(), id: "7.1709251199999".into() });
        assert_eq!((event.time.as_str(), event.headers.len()), ("2024-02-29T23:59:59.999Z", 1));
        assert_eq!(event.header("x-own"), Some("y"));
    }

    #[test]
    fn an_attribute_that_cannot_be_kept_counts_as_absent() {
        let event = |id: &str| {
            let headers = [("ce-id".to_owned(), id.to_owned()), ("ce-source".to_owned(), "a\0b".to_owned())];
            event_from_headers("shop", "a.b", headers, Bytes::new(), PLACE).expect("an event")
        };
        let placed = EventKey { source: "hull:shop:stream".into(), id: "7.1709251199999".into() };
        for id in ["\0", "a\tb", "a\u{85}b", "x".repeat(257).as_str()] {
            assert_eq!(event(id).key, placed, "{id:?}");
        }
        assert_eq!(event(&"x".repeat(256)).key.id.len(), 256);
    }

    #[test]
    fn what_would_break_the_protocol_is_refused() {
        for (name, value) in
            [("a:b", "c"), ("", "c"), ("a b", "c"), ("ce-id", "forged"), ("Nats-Rollup", "all"), ("a", "x\r\ny: z")]
        {
            let mut bad = event();
            bad.headers.push((name.into(), value.into()));
            assert_eq!(headers_of_event(&bad), Err(HeaderError::Header(name.into())), "{name:?}");
        }
        let other = [("ce-specversion".to_owned(), "2.0".to_owned())];
        assert!(event_from_headers("shop", "a", other.clone(), Bytes::new(), PLACE).is_err());
        let delivered = event_of_message("shop", "a", other.into(), Bytes::new(), PLACE);
        assert_eq!((delivered.key.id.as_str(), delivered.header("ce-specversion")), ("7.1709251199999", Some("2.0")));
    }
}
