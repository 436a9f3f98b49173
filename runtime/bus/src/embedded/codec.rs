//! An event as the bytes of a record's body. Own and small: it is read by this crate alone, and its version is the
//! segment file's.

use bytes::Bytes;
use hull_invocation::{Event, EventKey};

/// The most headers that an event may carry.
const HEADERS_MAX: usize = 256;

/// The event as bytes; `None` if one of its attributes or headers is too long or there are too many.
pub(super) fn encode(event: &Event) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(256 + event.payload.len());
    for text in [&event.key.source, &event.key.id, &event.subject, &event.time] {
        put(&mut out, text)?;
    }
    if event.headers.len() > HEADERS_MAX {
        return None;
    }
    out.extend_from_slice(&(event.headers.len() as u16).to_le_bytes());
    for (name, value) in &event.headers {
        put(&mut out, name)?;
        put(&mut out, value)?;
    }
    out.extend_from_slice(&event.payload);
    Some(out)
}

/// The event that `encode` made bytes of; `None` if these are not such bytes.
pub(super) fn decode(body: &Bytes) -> Option<Event> {
    let mut rest = &body[..];
    let source = take(&mut rest)?;
    let id = take(&mut rest)?;
    let subject = take(&mut rest)?;
    let time = take(&mut rest)?;
    let count = take_u16(&mut rest)?;
    let mut headers = Vec::with_capacity(usize::from(count).min(HEADERS_MAX));
    for _ in 0..count {
        headers.push((take(&mut rest)?, take(&mut rest)?));
    }
    let payload = body.slice_ref(rest);
    Some(Event { key: EventKey { source, id }, subject, time, headers, payload })
}

/// What the index wants to know of an event, without making one of it: source, id and subject.
pub(super) fn glance(body: &[u8]) -> Option<(&str, &str, &str)> {
    let mut rest = body;
    Some((take_text(&mut rest)?, take_text(&mut rest)?, take_text(&mut rest)?))
}

fn put(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let length = u16::try_from(text.len()).ok()?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Some(())
}

fn take(rest: &mut &[u8]) -> Option<String> {
    take_text(rest).map(str::to_owned)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(take_u16(rest)?);
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    let (bytes, after) = rest.split_first_chunk::<2>()?;
    *rest = after;
    Some(u16::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hull_invocation::{Event, EventKey};

    use super::{decode, encode, glance};

    fn event() -> Event {
        Event {
            key: EventKey { source: "/shop/orders".into(), id: "1".into() },
            subject: "orders.created".into(),
            time: "2026-01-01T00:00:00.000Z".into(),
            headers: vec![("x-one".into(), String::new()), ("x-two".into(), "zwei ä".into())],
            payload: Bytes::from_static(b"\0payload\xff"),
        }
    }

    #[test]
    fn events_survive_the_round_trip() {
        let body = Bytes::from(encode(&event()).expect("encodes"));
        assert_eq!(decode(&body), Some(event()));
        assert_eq!(glance(&body), Some(("/shop/orders", "1", "orders.created")));
    }

    #[test]
    fn half_an_event_is_no_event() {
        let body = Bytes::from(encode(&event()).expect("encodes"));
        let payload_begins = body.len() - event().payload.len();
        for length in 0..payload_begins {
            assert_eq!(decode(&body.slice(..length)), None, "{length}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut long = event();
        long.headers[0].1 = "x".repeat(65_536);
        assert_eq!(encode(&long), None);
        let mut many = event();
        many.headers = vec![("a".into(), "b".into()); 257];
        assert_eq!(encode(&many), None);
    }
}
