//! Whom a request names, in one form for every guest: the target is a path, and there is exactly one valid `Host`.

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};

use crate::connection::ConnectionState;
use crate::refusal::Refusal;
use crate::survey::{HostSeen, Survey, is_host};

/// Check the request's authority and bring it into that form.
pub(crate) fn check_address(parts: &mut Parts, survey: &Survey, connection: &ConnectionState) -> Result<(), Refusal> {
    match survey.host {
        HostSeen::None if parts.version == Version::HTTP_11 => return Err(Refusal::HostMissing),
        HostSeen::None | HostSeen::Valid => {}
        HostSeen::Invalid => return Err(Refusal::HostInvalid),
        HostSeen::Several => return Err(Refusal::HostAmbiguous),
    }
    if parts.uri.authority().is_some() {
        use_authority(parts)?;
    } else if survey.host == HostSeen::None {
        // HTTP/1.0 has no Host. An HTTP/2 request without any authority is one to nobody.
        if parts.version != Version::HTTP_10 {
            return Err(Refusal::HostMissing);
        }
        parts.headers.insert(HOST, connection.own_address().clone());
    }
    match parts.uri.path() {
        "*" if parts.method == Method::OPTIONS => Ok(()),
        path if path.starts_with('/') => Ok(()),
        _ => Err(Refusal::Target),
    }
}

/// RFC 9112, 3.2.2: the authority of an absolute target replaces `Host`. RFC 9113, 8.3.1: in HTTP/2 the two must
/// not differ.
fn use_authority(parts: &mut Parts) -> Result<(), Refusal> {
    let Some(authority) = parts.uri.authority() else { return Ok(()) };
    if !is_host(authority.as_str().as_bytes()) {
        return Err(Refusal::HostInvalid);
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::HostInvalid)?;
    if parts.version == Version::HTTP_2
        && parts.headers.get(HOST).is_some_and(|other| !other.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    {
        return Err(Refusal::HostAmbiguous);
    }
    parts.headers.insert(HOST, host);
    let path = parts.uri.path_and_query().cloned();
    parts.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Ok(())
}
