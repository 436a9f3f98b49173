//! What a component's roles and schemas are called. Roles belong to the whole server, so their names say which database
//! they are for: two hosts with a database each may share a server.

use std::fmt::Write as _;

use hull_invocation::ComponentId;
use sha2::{Digest, Sha256};

/// How long a name may be, in bytes; PostgreSQL would cut a longer one.
const NAME_BYTES_MAX: usize = 63;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// The role that guests' statements run as, and that logs in for them.
    pub(super) guest: String,
    /// The role that owns the host's tables; nobody logs in as it.
    pub(super) keeper: String,
    /// The schema that guests own.
    pub(super) schema: String,
    /// The schema of the host's tables.
    pub(super) host_schema: String,
}

impl Names {
    pub(super) fn of(component: &ComponentId, database: &str) -> Self {
        Self {
            guest: bounded(format!("hull/{database}/{component}")),
            keeper: bounded(format!("hull-host/{database}/{component}")),
            schema: bounded(component.to_string()),
            host_schema: bounded(format!("hull/{component}")),
        }
    }
}

/// A name that is too long ends with a digest of all of it.
fn bounded(name: String) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let digest = Sha256::digest(name.as_bytes());
    let mut short = name;
    let mut end = NAME_BYTES_MAX - 17;
    while !short.is_char_boundary(end) {
        end -= 1;
    }
    short.truncate(end);
    short.push('~');
    for byte in digest.iter().take(8) {
        let _ = write!(short, "{byte:02x}");
    }
    short
}

/// A name as it stands in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as it stands in a statement that takes no parameters. `standard_conforming_strings` is on since 9.1.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use hull_invocation::ComponentId;

    use super::{NAME_BYTES_MAX, Names, quoted};

    #[test]
    fn names_are_bounded_and_still_differ() {
        let long = "x".repeat(100);
        let one = Names::of(&ComponentId::new("shop", format!("{long}1")), "hull");
        let other = Names::of(&ComponentId::new("shop", format!("{long}2")), "hull");
        for name in [&one.guest, &one.keeper, &one.schema, &one.host_schema] {
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
        }
        assert_ne!(one.guest, other.guest);
        assert_ne!(one.schema, other.schema);
        assert_eq!(Names::of(&ComponentId::new("shop", "orders"), "hull").guest, "hull/hull/shop/orders");
    }

    #[test]
    fn a_quote_in_a_name_does_not_end_it() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
