//! Upstreams: servers elsewhere that keep the routes which no component answers yet.

use std::num::NonZeroU32;
use std::time::Duration;

use url::Url;

use crate::bulkhead::{COUNT_MAX, Queue, at_least_one};
use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, Span, settings, words};
use crate::route::Route;
use crate::server_url::HttpUrl;
use crate::units::ByteSize;

/// A server elsewhere, and the routes that it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Scheme, host and port; the path of a request is passed on as it is.
    pub url: HttpUrl,
    /// Those that it has for itself; what it shares with a component stands in the `split` of that route.
    pub routes: Vec<Route>,
    /// What it may take of the host, and what it is told.
    pub settings: UpstreamSettings,
}

settings! {
    /// What an upstream may take of the host, and what it is told of clients.
    pub struct UpstreamSettings {
        /// Wall time of one request, to the last byte of the answer.
        "time" time: Duration = Duration::from_secs(30);
        /// Requests at once.
        "concurrency" concurrency: NonZeroU32 = at_least_one(64), within ..=COUNT_MAX;
        /// Who waits when all places are taken.
        "queue" queue: Queue = Queue::default();
        /// The body of a request, and that of an answer.
        "body-max" body_max: ByteSize = ByteSize::mib(64);
        /// Which `Host` it is sent.
        "host" host: HostSent = HostSent::Client;
        /// What becomes of the `Forwarded` and `X-Forwarded-*` headers of a request.
        "forwarded" forwarded: Forwarded = Forwarded::Replace;
    }
}

words! {
    /// Which `Host` an upstream is sent.
    pub enum HostSent, "\"client\" or \"url\"" {
        /// That of the client's request: the server makes the same links as before.
        Client = "client",
        /// That of the upstream's URL.
        Url = "url",
    }
}

words! {
    /// What becomes of `Forwarded` and `X-Forwarded-*` headers that a request brings.
    pub enum Forwarded, "\"replace\" or \"append\"" {
        /// They go: anybody can write them.
        Replace = "replace",
        /// They stay, and the client is added: for a host behind a proxy that is trusted.
        Append = "append",
    }
}

impl Upstream {
    /// The URL of the server.
    pub fn url(&self) -> &Url {
        self.url.as_url()
    }

    /// Read it, with the place of each route.
    pub(crate) fn read(item: &Item<'_>) -> Option<(Self, Vec<Span>)> {
        let table = item.table("{ url = \"http://127.0.0.1:8080\", routes = [\"/legacy/...\"] }")?;
        let url = table.required_at::<HttpUrl>("url");
        let routes_item = table.get("routes");
        let settings = UpstreamSettings::read_from(&table);
        table.finish();
        let url = url?;
        if url.value.as_url().path() != "/" || url.value.as_url().query().is_some() {
            let message = format!("`{}.url` has a path", table.path);
            table.report.wrong(&url.span, message, "leave it out: the path of a request is passed on as it is");
        }
        let read = |item: Item<'_>| Route::read(&item).map(|route| (route, item.span));
        let elements = match routes_item {
            Some(item) => Some(item.elements("[\"/legacy/...\"]")?),
            None => None,
        };
        let (routes, places): (Vec<_>, Vec<_>) = elements.into_iter().flatten().filter_map(read).unzip();
        Some((Self { url: url.value, routes, settings }, places))
    }

    pub(crate) fn show(&self) -> Shown {
        let mut entries =
            vec![Entry::new("url", self.url.show()), Entry::defaulted("routes", &self.routes, &Vec::new())];
        entries.extend(self.settings.entries());
        Shown::Section(entries)
    }
}
