//! `[bus]`: where events are held.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use crate::bulkhead::at_least_one;
use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, words};
use crate::server_url::SecretUrl;

const RETAIN_DEFAULT: Duration = Duration::from_hours(7 * 24);
const REPLICAS_DEFAULT: NonZeroU32 = NonZeroU32::MIN;
/// JetStream replicates to five servers at the most.
const REPLICAS_MAX: NonZeroU32 = at_least_one(5);

/// Where events are held, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bus {
    /// Where.
    pub backend: BusBackend,
    /// How old an event must be, besides being acknowledged by all, before it is dropped.
    pub retain: Duration,
}

/// Where events are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusBackend {
    /// A file below the state directory.
    Embedded {
        /// Whether an event is on the disk before whoever publishes it hears that it is there.
        sync: bool,
    },
    /// NATS JetStream.
    Nats {
        /// The server; several are separated by commas in NATS, here one that knows the others is enough.
        url: SecretUrl,
        /// A credentials file; this and the others are relative to `hull.toml`.
        credentials: Option<String>,
        /// Who signs the server's certificate, in PEM; none trusts what the system trusts.
        ca: Option<String>,
        /// What this host shows of itself.
        identity: Option<Identity>,
        /// How many servers hold each stream.
        replicas: NonZeroU32,
    },
}

/// A certificate and its private key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate chain.
    pub cert: String,
    /// Its private key.
    pub key: String,
}

words! {
    /// The kind of a bus.
    pub(super) enum BusKind, "\"embedded\" or \"nats\"" {
        /// A file.
        Embedded = "embedded",
        /// A server.
        Nats = "nats",
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self { backend: BusBackend::Embedded { sync: true }, retain: RETAIN_DEFAULT }
    }
}

impl Bus {
    /// The same with the paths of its files beginning where `hull.toml` lies.
    #[must_use]
    pub fn beside(mut self, folder: &Path) -> Self {
        if let BusBackend::Nats { credentials, ca, identity, .. } = &mut self.backend {
            let identity = identity.iter_mut().flat_map(|identity| [&mut identity.cert, &mut identity.key]);
            for file in credentials.iter_mut().chain(ca).chain(identity) {
                let path = folder.join(&*file);
                *file = path.strip_prefix(".").unwrap_or(&path).display().to_string();
            }
        }
        self
    }
}

impl Setting for Bus {
    const WANTED: &'static str = "{ backend = \"embedded\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let kind = table.or("backend", BusKind::Embedded);
        let retain = table.or("retain", RETAIN_DEFAULT);
        if kind == BusKind::Embedded {
            for key in ["url", "credentials", "ca", "cert", "key", "replicas"] {
                table.refuse(key, "the embedded bus has none", "remove it, or set backend = \"nats\"");
            }
            let sync = table.or("sync", true);
            table.finish();
            return Some(Self { backend: BusBackend::Embedded { sync }, retain });
        }
        table.refuse("sync", "NATS decides by itself when it syncs", "remove it; see sync_interval of nats-server");
        let wanted = "\"nats://127.0.0.1:4222\"";
        let url = table.required_item("url", wanted);
        let credentials = table.optional("credentials");
        let ca = table.optional("ca");
        let has_identity = table.get("cert").is_some() || table.get("key").is_some();
        let identity =
            has_identity.then(|| Some(Identity { cert: table.required("cert")?, key: table.required("key")? }));
        let replicas = table.or_within("replicas", REPLICAS_DEFAULT, &(..=REPLICAS_MAX));
        table.finish();
        let url = url?;
        let parsed = SecretUrl::parse(url.text(wanted)?, &["nats", "tls"], wanted);
        let url = parsed.map_err(|invalid| url.report.invalid(&url.span, &url.path, invalid)).ok()?;
        let identity = identity.flatten();
        Some(Self { backend: BusBackend::Nats { url, credentials, ca, identity, replicas }, retain })
    }

    fn show(&self) -> Shown {
        let retain = Entry::defaulted("retain", &self.retain, &RETAIN_DEFAULT);
        match &self.backend {
            BusBackend::Embedded { sync } => Shown::Section(vec![
                Entry::defaulted("backend", &BusKind::Embedded, &BusKind::Embedded),
                Entry::defaulted("sync", sync, &true),
                retain,
            ]),
            BusBackend::Nats { url, credentials, ca, identity, replicas } => Shown::Section(vec![
                Entry::new("backend", BusKind::Nats.show()),
                Entry::new("url", Shown::Text(url.to_string())),
                Entry::defaulted("credentials", credentials, &None),
                Entry::defaulted("ca", ca, &None),
                Entry::defaulted("cert", &identity.as_ref().map(|identity| identity.cert.clone()), &None),
                Entry::defaulted("key", &identity.as_ref().map(|identity| identity.key.clone()), &None),
                Entry::defaulted("replicas", replicas, &REPLICAS_DEFAULT),
                retain,
            ]),
        }
    }
}
