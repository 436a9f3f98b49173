//! The smaller tables of `hull.toml`.

mod jwt;
mod secrets;

pub use jwt::{Jwks, Jwt};
pub use secrets::Secrets;

use std::num::NonZeroU32;
use std::time::Duration;

use super::AdminAddress;
use crate::bulkhead::at_least_one;
use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, settings, words};
use crate::server_url::HttpUrl;
use crate::units::{ByteSize, Percent};

/// `[tls]`: files in PEM, relative to `hull.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain.
    pub cert: String,
    /// Its private key.
    pub key: String,
    /// Who signs the certificates of clients; none asks for none.
    pub client_ca: Option<String>,
}

impl Setting for Tls {
    const WANTED: &'static str = "{ cert = \"cert.pem\", key = \"key.pem\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let (cert, key, client_ca) = (table.required("cert"), table.required("key"), table.optional("client-ca"));
        table.finish();
        Some(Self { cert: cert?, key: key?, client_ca })
    }

    fn show(&self) -> Shown {
        Shown::Section(vec![
            Entry::new("cert", self.cert.show()),
            Entry::new("key", self.key.show()),
            Entry::defaulted("client-ca", &self.client_ca, &None),
        ])
    }
}

settings! {
    /// `[admin]`.
    pub struct Admin {
        /// Where it is.
        "listen" listen: AdminAddress = AdminAddress::default();
        /// The file with the token of this machine's own commands; none puts it into the state directory.
        "token-file" token_file: Option<String> = None;
    }
}

settings! {
    /// `[telemetry]`.
    pub struct Telemetry {
        /// Where traces go; none keeps them here.
        "otlp-endpoint" otlp_endpoint: Option<HttpUrl> = None;
        /// How log lines are written.
        "log-format" log_format: LogFormat = LogFormat::Json;
        /// The share of requests that are traced.
        "sample" sample: Percent = Percent::new(100), within ..=Percent::new(100);
    }
}

words! {
    /// How log lines are written.
    pub enum LogFormat, "\"json\" or \"pretty\"" {
        /// For programs.
        Json = "json",
        /// For people.
        Pretty = "pretty",
    }
}

settings! {
    /// `[host]`: bounds of the whole process.
    pub struct HostLimits {
        /// For all guests together; none leaves it to the host, by what the machine has.
        "memory" memory: Option<ByteSize> = None, within Some(ByteSize::mib(16))..;
        /// Threads that run guests; none means one for each core.
        "threads" threads: Option<NonZeroU32> = None, within ..=Some(at_least_one(1024));
        /// How long a guest runs before it goes back to the queue.
        "cpu-tick" cpu_tick: Duration = Duration::from_millis(1), within TICK_MIN..=TICK_MAX;
    }
}

const TICK_MIN: Duration = Duration::from_micros(100);
const TICK_MAX: Duration = Duration::from_millis(1);
