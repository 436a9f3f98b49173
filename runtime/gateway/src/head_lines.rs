//! The grammar of a request line and of a header line (RFC 9112, 3 and 5), and the facts in them that frame the
//! body.

use crate::framing::Body;
use crate::refusal::Refusal;

/// What frames the body that follows a head.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    is_http_10: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Facts {
    pub(crate) fn body(&self) -> Option<Body> {
        match (self.chunked, self.length) {
            (true, _) => Some(Body::chunked()),
            (false, None | Some(0)) => None,
            (false, Some(length)) => Some(Body::fixed(length)),
        }
    }
}

/// `METHOD target HTTP/1.1`, with exactly one space between them.
pub(crate) fn request_line(line: &[u8], target_bytes_max: usize, facts: &mut Facts) -> Result<(), Refusal> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::RequestLine);
    };
    if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
        return Err(Refusal::RequestLine);
    }
    if target.len() > target_bytes_max {
        return Err(Refusal::TargetTooLong);
    }
    match version {
        b"HTTP/1.1" => {}
        b"HTTP/1.0" => facts.is_http_10 = true,
        _ if is_version(version) => return Err(Refusal::Version),
        _ => return Err(Refusal::RequestLine),
    }
    check_target(target)
}

/// The common characters of a path need no further look; anything else is left to the parser that will be used.
fn check_target(target: &[u8]) -> Result<(), Refusal> {
    let common = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/?=&%+,:;@!$()*".contains(byte);
    if target.first() == Some(&b'/') && target.iter().all(common) {
        return Ok(());
    }
    http::Uri::try_from(target).map(drop).map_err(|_| Refusal::Target)
}

fn is_version(version: &[u8]) -> bool {
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// `name: value`.
pub(crate) fn header_line(line: &[u8], facts: &mut Facts) -> Result<(), Refusal> {
    let length = line.iter().position(|&byte| !is_token(byte)).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(length).unwrap_or_default();
    let Some(value) = rest.strip_prefix(b":") else { return Err(Refusal::HeaderLine) };
    if name.is_empty() {
        return Err(Refusal::HeaderLine);
    }
    check_value(value)?;
    match name.len() {
        14 if name.eq_ignore_ascii_case(b"content-length") => facts.content_length(value.trim_ascii()),
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => facts.transfer_encoding(value.trim_ascii()),
        _ => Ok(()),
    }
}

/// RFC 9110, 5.5 leaves bytes above 0x7f to the application; what is not UTF-8 would reach guests as broken text.
fn check_value(value: &[u8]) -> Result<(), Refusal> {
    // Counted to the end, so that the compiler can compare many at once.
    if value.iter().filter(|byte| !(b' '..0x7f).contains(byte)).count() == 0 {
        return Ok(());
    }
    if value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        return Err(Refusal::HeaderLine);
    }
    std::str::from_utf8(value).map(drop).map_err(|_| Refusal::HeaderEncoding)
}

impl Facts {
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked {
            return Err(Refusal::LengthAndEncoding);
        }
        if self.length.is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::ContentLength);
        }
        let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
        // The library keeps two values of the range for itself.
        self.length = Some(length.filter(|&length| length < u64::MAX - 1).ok_or(Refusal::ContentLength)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::LengthAndEncoding);
        }
        if self.chunked || self.is_http_10 {
            return Err(Refusal::TransferEncoding);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::UnknownCoding);
        }
        self.chunked = true;
        Ok(())
    }
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128_u8 {
            table[byte as usize] = byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                );
            byte += 1;
        }
        table
    };
    TOKEN[usize::from(byte)]
}
