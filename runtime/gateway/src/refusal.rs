//! Why the gateway itself turns a request away, before any component is asked. Each has a status, a word for the
//! `type` of the problem answer, and a sentence for whoever sent the request.

use http::StatusCode;

/// A request that the gateway answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A line ends in LF without CR: other servers on the way may see other lines.
    BareLineFeed,
    /// The request line cannot be parsed.
    RequestLine,
    /// The request target is not a valid URI.
    Target,
    /// The request target is longer than it may be.
    TargetTooLong,
    /// A version other than HTTP/1.0 and HTTP/1.1 on a connection that speaks HTTP/1.
    Version,
    /// A header line cannot be parsed, or continues the line before.
    HeaderLine,
    /// A header's value is not UTF-8.
    HeaderEncoding,
    /// More header bytes or more headers than there may be.
    HeadersTooLarge,
    /// Several or malformed `Content-Length`.
    ContentLength,
    /// `Content-Length` beside `Transfer-Encoding`: request smuggling.
    LengthAndEncoding,
    /// `Transfer-Encoding` more than once, or in HTTP/1.0.
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    UnknownCoding,
    /// The head did not arrive in time.
    HeadTimeout,
    /// A body that is read before the component is asked did not arrive in time.
    BodyTimeout,
    /// Such a body ended early, or is not what its length says.
    BodyBroken,
    /// No `Host` (or `:authority`).
    HostMissing,
    /// More than one `Host`, or one that differs from `:authority`.
    HostAmbiguous,
    /// `Host` is no valid host and port.
    HostInvalid,
    /// A percent sign without two hexadecimal digits, NUL, or no UTF-8 once decoded.
    PathEncoding,
    /// The path leads above the root.
    PathAboveRoot,
    /// A method that the gateway does not pass on.
    Method,
    /// No route matches.
    NoRoute,
    /// It came back from an upstream.
    Loop,
}

impl Refusal {
    const ALL: [Self; 23] = [
        Self::BareLineFeed,
        Self::RequestLine,
        Self::Target,
        Self::TargetTooLong,
        Self::Version,
        Self::HeaderLine,
        Self::HeaderEncoding,
        Self::HeadersTooLarge,
        Self::ContentLength,
        Self::LengthAndEncoding,
        Self::TransferEncoding,
        Self::UnknownCoding,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::BodyBroken,
        Self::HostMissing,
        Self::HostAmbiguous,
        Self::HostInvalid,
        Self::PathEncoding,
        Self::PathAboveRoot,
        Self::Method,
        Self::NoRoute,
        Self::Loop,
    ];

    /// The answer's status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            // RFC 9112, 6.1: a transfer coding that is not understood.
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::HeadTimeout | Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Loop => StatusCode::LOOP_DETECTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The last part of the problem's `type`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BareLineFeed => "bare-line-feed",
            Self::RequestLine => "request-line",
            Self::Target => "request-target",
            Self::TargetTooLong => "request-target-too-long",
            Self::Version => "http-version",
            Self::HeaderLine => "header-line",
            Self::HeaderEncoding => "header-encoding",
            Self::HeadersTooLarge => "headers-too-large",
            Self::ContentLength => "content-length",
            Self::LengthAndEncoding => "content-length-and-transfer-encoding",
            Self::TransferEncoding => "transfer-encoding",
            Self::UnknownCoding => "transfer-coding",
            Self::HeadTimeout => "head-timeout",
            Self::BodyTimeout => "body-timeout",
            Self::BodyBroken => "body-broken",
            Self::HostMissing => "host-missing",
            Self::HostAmbiguous => "host-ambiguous",
            Self::HostInvalid => "host-invalid",
            Self::PathEncoding => "path-encoding",
            Self::PathAboveRoot => "path-above-root",
            Self::Method => "method",
            Self::NoRoute => "no-route",
            Self::Loop => "loop",
        }
    }

    /// What is wrong and how to send it right.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::BareLineFeed => "a line of the head ends in LF alone; lines end in CR LF",
            Self::RequestLine => "the request line is not \"METHOD target HTTP/1.1\"",
            Self::Target => "the request target is not a valid URI; escape what it may not hold",
            Self::TargetTooLong => "the request target is too long",
            Self::Version => "HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here",
            Self::HeaderLine => "a header line is not \"name: value\", or continues the line before",
            Self::HeaderEncoding => "a header's value is not valid UTF-8",
            Self::HeadersTooLarge => "the headers are too large or too many",
            Self::ContentLength => "Content-Length is there more than once or is not a number",
            Self::LengthAndEncoding => "Content-Length and Transfer-Encoding exclude each other",
            Self::TransferEncoding => "Transfer-Encoding is there more than once, or in an HTTP/1.0 request",
            Self::UnknownCoding => "the only transfer coding understood here is chunked",
            Self::HeadTimeout => "the request's head did not arrive in time",
            Self::BodyTimeout => "the request's body did not arrive in time",
            Self::BodyBroken => "the request's body is not as long as its Content-Length says",
            Self::HostMissing => "the request names no host; send a Host header",
            Self::HostAmbiguous => "the request names more than one host",
            Self::HostInvalid => "the Host header is not a host name or address with an optional port",
            Self::PathEncoding => {
                "the path is not valid: a % needs two hexadecimal digits, and what it encodes must be UTF-8 without NUL"
            }
            Self::PathAboveRoot => "the path leads above the root",
            Self::Method => "this method is not passed on to components",
            Self::NoRoute => "there is nothing at this path",
            Self::Loop => "the request came back here: the url of an upstream leads to this host",
        }
    }

    /// The refusal that goes by that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn words_name_one_refusal_each() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_word(refusal.word()), Some(refusal));
            assert!(refusal.status().is_client_error() || refusal.status().is_server_error());
        }
        assert_eq!(Refusal::from_word(""), None);
    }
}
