//! Upstreams: servers elsewhere that keep the routes which no component answers yet.

use url::Url;

use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, Span};
use crate::route::Route;
use crate::server_url::HttpUrl;

/// A server elsewhere, and the routes that it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Scheme, host and port; the path of a request is passed on as it is.
    pub url: HttpUrl,
    /// At least one.
    pub routes: Vec<Route>,
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
        let routes = table.required_item("routes", "[\"/legacy/...\"]");
        table.finish();
        let (url, routes_item) = (url?, routes?);
        if url.value.as_url().path() != "/" || url.value.as_url().query().is_some() {
            let message = format!("`{}.url` has a path", table.path);
            table.report.wrong(&url.span, message, "leave it out: the path of a request is passed on as it is");
        }
        let elements = routes_item.elements("[\"/legacy/...\"]")?;
        let read = |item: Item<'_>| Route::read(&item).map(|route| (route, item.span));
        let (routes, places): (Vec<_>, Vec<_>) = elements.filter_map(read).unzip();
        if routes_item.is_empty_array() {
            routes_item.wrong("there is no route in it", "write routes such as [\"/legacy/...\"]");
        }
        Some((Self { url: url.value, routes }, places))
    }

    pub(crate) fn show(&self) -> Shown {
        Shown::Section(vec![Entry::new("url", self.url.show()), Entry::new("routes", self.routes.show())])
    }
}
