//! Which interfaces there are for guests, and which lines of a manifest grant those that not everybody has.

use hull_manifest::Component;

/// Packages of WASI that every guest has, in versions 0.2 and 0.3.
const WASI: [&str; 7] =
    ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:http", "wasi:io", "wasi:random", "wasi:sockets"];

/// The other interfaces. A version that ends in a dot stands for all that begin so.
const OTHERS: [(&str, &str); 10] = [
    ("wasi:keyvalue/store", "0.2.0-draft2"),
    ("wasi:keyvalue/atomics", "0.2.0-draft2"),
    ("wasi:keyvalue/batch", "0.2.0-draft2"),
    ("wasi:config/store", "0.2.0-rc.1"),
    ("wasi:logging/logging", "0.1.0-draft"),
    ("hull:sql/", "0.1."),
    ("hull:transactions/", "0.1."),
    ("hull:messaging/types", "0.1."),
    ("hull:messaging/producer", "0.1."),
    ("hull:messaging/request-reply", "0.1."),
];

/// How an import stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The component has it.
    Granted,
    /// The component would have it with this line of the manifest.
    Ungranted {
        /// Where the line goes.
        table: String,
        /// The line.
        line: &'static str,
    },
    /// No manifest could grant it.
    Unknown,
}

/// How an import of a component stands.
pub(super) fn standing(component: &Component, import: &str) -> Standing {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    if !is_known(interface, version) {
        return Standing::Unknown;
    }
    let hull = &component.hull;
    let stores = "key_value_stores = [\"default\"]";
    let databases = "sqlite_databases = [\"default\"]";
    let (granted, below, line) = match interface.split_once('/') {
        Some(("wasi:keyvalue", _)) => (component.key_value, "", stores),
        Some(("hull:sql", _)) => (component.sqlite, "", databases),
        Some(("hull:transactions", _)) => {
            (component.key_value || component.sqlite || !hull.publishes.is_empty(), "", databases)
        }
        Some(("hull:messaging", "producer")) => {
            (!hull.publishes.is_empty(), ".tool.hull", "publishes = [\"orders.*\"]")
        }
        Some(("wasi:http", "outgoing-handler" | "client")) => {
            let line = "allowed_outbound_hosts = [\"http://payments.internal\"]";
            (!component.allowed_outbound_hosts.is_empty(), "", line)
        }
        _ => return Standing::Granted,
    };
    if granted {
        return Standing::Granted;
    }
    Standing::Ungranted { table: format!("[component.{}{below}]", component.name), line }
}

fn is_known(interface: &str, version: &str) -> bool {
    let package = interface.split('/').next().unwrap_or_default();
    if WASI.contains(&package) {
        return version.starts_with("0.2.") || version.starts_with("0.3.");
    }
    OTHERS.iter().any(|(known, wanted)| {
        let names = if known.ends_with('/') { interface.starts_with(known) } else { interface == *known };
        names && if wanted.ends_with('.') { version.starts_with(wanted) } else { version == *wanted }
    })
}
