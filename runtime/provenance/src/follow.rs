//! Requests that may be sent on to another place: not too often, never out of TLS, and without what only the first place is
//! to see.

use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};
use hull_manifest::is_loopback;
use hyper::body::Incoming;
use url::Url;

use crate::failed::Why;
use crate::transport::Transport;

/// Times that a request is sent on.
const REDIRECTS_MAX: usize = 5;

/// An answer, and whether it is from where it was asked first.
pub(crate) struct Followed {
    pub(crate) answer: Response<Incoming>,
    pub(crate) is_first_hand: bool,
}

/// GET it, wherever it leads.
pub(crate) async fn get(
    transport: &Transport,
    first: &Url,
    accept: Option<&HeaderValue>,
    authorization: Option<&HeaderValue>,
) -> Result<Followed, Why> {
    let mut url = first.clone();
    for _ in 0..=REDIRECTS_MAX {
        let is_first_hand = url.origin() == first.origin();
        let answer = transport.get(&url, accept, authorization.filter(|_| is_first_hand)).await?;
        if !is_redirect(answer.status()) {
            return Ok(Followed { answer, is_first_hand });
        }
        url = next(first, &url, answer.headers().get(LOCATION))?;
    }
    Err(Why::Redirect { to: shown(&url), why: "and it was sent on too often before" })
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where an answer leads, if that may be followed.
fn next(first: &Url, here: &Url, location: Option<&HeaderValue>) -> Result<Url, Why> {
    let nowhere = || Why::BrokeOff("it was sent on to nowhere".to_owned());
    let location = location.and_then(|value| value.to_str().ok()).ok_or_else(nowhere)?;
    let to = here.join(location).map_err(|_| nowhere())?;
    let refused = |why| Err(Why::Redirect { to: shown(&to), why });
    if !to.username().is_empty() || to.password().is_some() {
        return refused("with credentials in it");
    }
    match to.scheme() {
        // What is somewhere else does not know what is on this machine.
        "https" | "http" if is_loopback(&to) && !is_loopback(first) => refused("which is on this machine"),
        "https" => Ok(to),
        "http" if is_loopback(&to) => Ok(to),
        _ => refused("without TLS"),
    }
}

/// A URL as it may be told: the query may hold a secret.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use url::Url;

    use super::{next, shown};

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    fn leads(first: &str, to: &str) -> Option<String> {
        let value = HeaderValue::from_str(to).expect("a value");
        next(&url(first), &url(first), Some(&value)).map(String::from).ok()
    }

    #[test]
    fn nothing_leads_out_of_tls_or_into_this_machine() {
        assert_eq!(leads("https://a.example/x/y", "z").as_deref(), Some("https://a.example/x/z"));
        assert_eq!(leads("https://a.example/x", "https://cdn.example/y?z").as_deref(), Some("https://cdn.example/y?z"));
        assert_eq!(leads("https://a.example/x", "//cdn.example/y").as_deref(), Some("https://cdn.example/y"));
        assert_eq!(
            leads("http://127.0.0.1:5000/x", "http://127.0.0.1:6000/").as_deref(),
            Some("http://127.0.0.1:6000/")
        );
        assert_eq!(leads("http://localhost/x", "https://cdn.example/").as_deref(), Some("https://cdn.example/"));
        for to in [
            "http://a.example/x",
            "https://127.0.0.1/",
            "http://localhost/",
            "https://[::1]/",
            "https://u:p@a.example/",
        ] {
            assert_eq!(leads("https://a.example/x", to), None, "{to}");
        }
        for to in ["http://192.0.2.1/", "file:///etc/passwd", "ftp://127.0.0.1/", "data:text/plain,x", "https://"] {
            assert_eq!(leads("http://127.0.0.1/x", to), None, "{to}");
        }
        assert!(next(&url("https://a.example"), &url("https://a.example"), None).is_err());
    }

    #[test]
    fn what_a_query_holds_is_not_told() {
        assert_eq!(shown(&url("https://a.example/b.wasm?signature=secret#c")), "https://a.example/b.wasm");
    }
}
