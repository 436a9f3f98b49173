//! Reads `hull.toml`, top down.

use std::collections::BTreeMap;

use super::{AdminAddress, Host, Storage};
use crate::name::Name;
use crate::problem::Problems;
use crate::read::{Table, read_document};

/// Parse a whole `hull.toml`.
pub(super) fn read_host(text: &str, file: &str) -> Result<Host, Problems> {
    read_document(file, text, |root| Some(read_root(root)))
}

fn read_root(root: &Table<'_>) -> Host {
    let default = Host::default();
    let mut storage: BTreeMap<Name, Storage> = root.or("storage", BTreeMap::new());
    storage.entry(Name::default_storage()).or_insert(Storage::Sqlite);
    let host = Host {
        state_dir: root.or("state-dir", default.state_dir),
        listen: root.or("listen", default.listen),
        tls: root.optional("tls"),
        admin: root.or("admin", default.admin),
        storage,
        bus: root.or("bus", default.bus),
        jwt: root.table("auth").and_then(|auth| {
            let jwt = auth.optional("jwt");
            auth.finish();
            jwt
        }),
        signatures: root.optional("signatures"),
        secrets: root.or("secrets", default.secrets),
        telemetry: root.or("telemetry", default.telemetry),
        limits: root.or("host", default.limits),
    };
    root.finish();
    check_host(root, &host);
    host
}

fn check_host(root: &Table<'_>, host: &Host) {
    if let (true, Some(item)) = (host.state_dir.is_empty(), root.get("state-dir")) {
        item.wrong("the path is empty", "write a path such as \".hull\"");
    }
    let admin = root.table("admin").and_then(|admin| admin.get("listen"));
    let listen = host.listen.get();
    // The system chooses another port for each zero.
    let same = listen.port() != 0 && host.admin.listen == AdminAddress::Tcp(listen);
    if let (true, Some(item)) = (same, admin.or_else(|| root.get("listen"))) {
        item.wrong("the gateway and the admin interface have the same address", "give one of them another port");
    }
}
