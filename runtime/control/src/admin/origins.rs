//! Writing down where the components of a deployment came from, what they are, and who has signed them.

use super::route::Actor;
use crate::audit::{AuditError, Happening};
use crate::node::Node;
use crate::revisions::{ComponentRecord, Record};

/// An entry of the log takes 1,024 bytes of this, and the rest would be cut.
const ENTRY_BYTES_MAX: usize = 1000;
/// So much is told of a place, in characters; the revision itself has all of it.
const SOURCE_CHARS_MAX: usize = 300;

/// Write down the components that were sent, several in an entry.
pub(super) async fn write_origins(
    node: &Node,
    actor: &Actor,
    record: &Record,
    sent: &[String],
) -> Result<(), AuditError> {
    let told = sent.iter().filter_map(|name| {
        let signed_by = record.signed_by.get(name).map(String::as_str);
        record.components.get(name).map(|component| origin(name, component, signed_by))
    });
    for detail in packed(&format!("revision {}", record.revision), told) {
        let (by, from) = (actor.name.to_string(), actor.from.to_string());
        let (action, app, result) = ("deploy".to_owned(), record.app.clone(), "origins".to_owned());
        node.audit.write(Happening { by, from, action, app, detail, result }).await?;
    }
    Ok(())
}

fn origin(name: &str, component: &ComponentRecord, signed_by: Option<&str>) -> String {
    let ComponentRecord { sha256, source, signature, .. } = component;
    let source: String = source.chars().take(SOURCE_CHARS_MAX).collect();
    let from = if source.is_empty() { String::new() } else { format!(" from {source}") };
    let signed = match (signed_by, signature) {
        (Some(key), _) => format!("signed by {key}"),
        (None, Some(_)) => "signature not checked".to_owned(),
        (None, None) => "not signed".to_owned(),
    };
    format!("{name} sha256:{sha256}{from}, {signed}")
}

/// As few entries as hold all of it.
fn packed(head: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in lines {
        match entries.last_mut().filter(|entry| entry.len() + 2 + line.len() <= ENTRY_BYTES_MAX) {
            Some(entry) => {
                entry.push_str("; ");
                entry.push_str(&line);
            }
            None => entries.push(format!("{head}: {line}")),
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::{ENTRY_BYTES_MAX, origin, packed};
    use crate::revisions::{ComponentRecord, Content};

    #[test]
    fn every_component_is_told_whole() {
        let line = |n: usize| format!("component-{n} {}", "x".repeat(150));
        let entries = packed("revision 3", (0..40).map(line));
        assert!(entries.iter().all(|entry| entry.len() <= ENTRY_BYTES_MAX && entry.starts_with("revision 3: ")));
        let all = entries.join("; ");
        assert!((0..40).all(|n| all.contains(&line(n))), "{all}");
        assert!(entries.len() < 10, "{}", entries.len());
        assert_eq!(packed("revision 3", std::iter::empty()), Vec::<String>::new());
    }

    #[test]
    fn what_was_not_checked_is_not_called_signed() {
        let component = ComponentRecord {
            bytes: 0,
            sha256: Content::of(b""),
            source: "orders.wasm".to_owned(),
            signature: format!("{}==", "A".repeat(86)).parse().ok(),
        };
        assert!(component.signature.is_some());
        assert!(origin("orders", &component, Some("ci")).ends_with(" from orders.wasm, signed by ci"));
        assert!(origin("orders", &component, None).ends_with("signature not checked"));
        let bare = ComponentRecord { signature: None, source: String::new(), ..component };
        assert_eq!(origin("orders", &bare, None), format!("orders sha256:{}, not signed", Content::of(b"")));
    }
}
