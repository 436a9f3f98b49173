//! What a request carries on its way to an upstream: who the client is, whom it asked, and which hosts it came through
//! (RFC 7239, and RFC 9110, 7.6.3). A request that has been here before is turned away: it would go round for ever.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{EXPECT, FORWARDED, HOST, VIA};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};
use hull_manifest::Forwarded;

use crate::connection::ConnectionState;
use crate::refusal::Refusal;
use crate::survey::Ids;

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static SENT_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The path that the route was found by, with the query that came: an upstream is sent that, so that nothing else can be
/// reached by writing a path in another way. None if it came like this.
pub(crate) fn sent_as(uri: &Uri, path: &str) -> Result<Option<Uri>, Refusal> {
    if path == uri.path() {
        return Ok(None);
    }
    let text = match uri.query() {
        Some(query) => Cow::Owned(format!("{path}?{query}")),
        None => Cow::Borrowed(path),
    };
    PathAndQuery::try_from(&*text).map(|text| Some(Uri::from(text))).map_err(|_| Refusal::Target)
}

/// Bring the headers of a request into the form in which an upstream gets them.
pub(crate) fn forward(
    headers: &mut HeaderMap,
    version: Version,
    mode: Forwarded,
    ids: &Ids,
    connection: &ConnectionState,
) -> Result<(), Refusal> {
    let own = connection.own_name();
    if has_passed(headers, own) {
        return Err(Refusal::Loop);
    }
    // The gateway itself has told the client to go on.
    headers.remove(EXPECT);
    if mode == Forwarded::Replace {
        // Whatever a proxy before may have said, `x-forwarded-user` for one: monoliths believe it.
        let told =
            |name: &&HeaderName| name.as_str().starts_with("x-forwarded-") || **name == FORWARDED || **name == REAL_IP;
        let told: Vec<HeaderName> = headers.keys().filter(told).cloned().collect();
        for name in told {
            headers.remove(name);
        }
    }
    let host = headers.get(HOST).cloned();
    let client = connection.peer().ip().to_canonical();
    add(headers, &FOR, &client.to_string());
    add(headers, &FORWARDED, &element(client, host.as_ref()));
    if let Some(host) = host {
        headers.entry(&SENT_HOST).or_insert(host);
    }
    headers.entry(&PROTO).or_insert(HeaderValue::from_static("http"));
    let version = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    add(headers, &VIA, &format!("{version} {own}"));
    ids.write(headers);
    Ok(())
}

/// Whether a line of `Via` names this gateway.
fn has_passed(headers: &HeaderMap, own: &str) -> bool {
    let lines = headers.get_all(VIA).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split([',', ' ', '\t'])).any(|word| word == own)
}

/// Behind what is there already, in one line.
fn add(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    let before = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let line = before.chain([value]).collect::<Vec<_>>().join(", ");
    if let Ok(line) = HeaderValue::try_from(line) {
        headers.insert(name, line);
    }
}

/// RFC 7239, 4 and 6: an IPv6 address stands in brackets, and what is no token in quotes.
fn element(client: IpAddr, host: Option<&HeaderValue>) -> String {
    let client = match client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    // A host that was accepted has neither quotes nor backslashes in it.
    let host = host.and_then(|host| host.to_str().ok()).map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
    format!("for={client}{host};proto=http")
}

#[cfg(test)]
mod tests {
    use http::header::VIA;
    use http::{HeaderMap, HeaderValue, Uri};

    use super::{add, element, has_passed, sent_as};

    #[test]
    fn clients_and_hosts_are_named_as_the_standard_says() {
        let host = HeaderValue::from_static("shop.example:80");
        let told = element("192.0.2.7".parse().expect("an address"), Some(&host));
        assert_eq!(told, "for=192.0.2.7;host=\"shop.example:80\";proto=http");
        assert_eq!(element("2001:db8::1".parse().expect("an address"), None), "for=\"[2001:db8::1]\";proto=http");
    }

    #[test]
    fn whoever_was_here_before_is_known() {
        let mut headers = HeaderMap::new();
        headers.append(VIA, HeaderValue::from_static("1.0 fred, 1.1 hull-0badcafe"));
        assert!(has_passed(&headers, "hull-0badcafe"));
        assert!(!has_passed(&headers, "hull-0badcaf"));
        add(&mut headers, &VIA, "2 hull-1");
        assert_eq!(headers[VIA], "1.0 fred, 1.1 hull-0badcafe, 2 hull-1");
    }

    #[test]
    fn the_query_stays_with_another_path() {
        let uri = Uri::from_static("/a/../b?c=%2e%2e/d");
        assert_eq!(sent_as(&uri, "/b"), Ok(Some(Uri::from_static("/b?c=%2e%2e/d"))));
        assert_eq!(sent_as(&Uri::from_static("//b"), "/b"), Ok(Some(Uri::from_static("/b"))));
        assert_eq!(sent_as(&Uri::from_static("/b?c"), "/b"), Ok(None));
    }
}
