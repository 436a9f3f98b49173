//! The effective `hull.toml`. Passwords in URLs are not shown.

use super::{Entry, Shown};
use crate::host::{Bus, Host, Secrets};
use crate::name::Name;
use crate::read::Setting;

/// Everything a host is told, with every default. Displays as a `hull.toml`, serializes as JSON.
pub fn effective_host(host: &Host) -> Shown {
    let default = Host::default();
    let section = |key: &str, value: Shown| Entry::new(key, as_section(value));
    let storages = host.storage.iter().map(|(name, storage)| Entry::new(name.as_str(), storage.show()));
    let mut storages: Vec<Entry> = storages.collect();
    storages.sort_by_key(|entry| entry.key != Name::default_storage().as_str());
    let mut entries = vec![
        Entry::defaulted("state-dir", &host.state_dir, &default.state_dir),
        Entry::defaulted("listen", &host.listen, &default.listen),
    ];
    entries.push(match &host.tls {
        Some(tls) => Entry::new("tls", tls.show()),
        None => Entry::new("tls", Shown::Absent),
    });
    entries.push(section("admin", host.admin.show()));
    entries.push(Entry::new("storage", Shown::Section(storages)));
    entries.push(Entry::new("bus", Bus::show(&host.bus)));
    entries.push(match &host.jwt {
        Some(jwt) => Entry::new("auth", Shown::Section(vec![Entry::new("jwt", jwt.show())])),
        None => Entry::new("auth", Shown::Absent),
    });
    entries.push(Entry::new("signatures", host.signatures.show()));
    entries.push(Entry::new("secrets", Secrets::show(&host.secrets)));
    entries.push(section("telemetry", host.telemetry.show()));
    entries.push(section("host", host.limits.show()));
    Shown::Section(entries)
}

fn as_section(value: Shown) -> Shown {
    match value {
        Shown::Table(entries) => Shown::Section(entries),
        other => other,
    }
}
