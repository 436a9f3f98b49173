//! The headers that a guest finds on its request: the ids, and what Spin's guests expect to learn of the route.

use std::sync::Arc;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::connection::ConnectionState;
use crate::routes::Match;
use crate::survey::Ids;
use crate::target::Site;

static FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
static PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
static MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
static RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
static COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
static BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
static CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");

/// The headers that are set here at most, besides parameters.
const COUNT: usize = 10;

pub(crate) fn dress(
    headers: &mut HeaderMap,
    uri: &Uri,
    found: &Match<'_, '_, Arc<Site>>,
    ids: &Ids,
    connection: &ConnectionState,
) {
    let site = found.target();
    headers.reserve(COUNT + site.params.len());
    ids.write(headers);
    if let Some(url) = full_url(headers, uri) {
        headers.insert(FULL_URL.clone(), url);
    }
    headers.insert(PATH_INFO.clone(), text(found.trailing()));
    headers.insert(MATCHED_ROUTE.clone(), site.route.clone());
    headers.insert(RAW_COMPONENT_ROUTE.clone(), site.route.clone());
    headers.insert(COMPONENT_ROUTE.clone(), site.route_base.clone());
    headers.insert(BASE_PATH.clone(), HeaderValue::from_static("/"));
    headers.insert(CLIENT_ADDR.clone(), connection.client_address().clone());
    for (name, (_, value)) in site.params.iter().zip(found.params()) {
        headers.insert(name.clone(), text(value));
    }
}

fn full_url(headers: &HeaderMap, uri: &Uri) -> Option<HeaderValue> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let path = uri.path_and_query()?.as_str();
    let mut url = String::with_capacity("http://".len() + host.len() + path.len());
    url.push_str("http://");
    url.push_str(host);
    url.push_str(path);
    HeaderValue::try_from(url).ok()
}

/// Parts of a path have no control characters, so they are valid.
fn text(part: &str) -> HeaderValue {
    if part.is_empty() {
        return HeaderValue::from_static("");
    }
    HeaderValue::from_bytes(part.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static(""))
}
