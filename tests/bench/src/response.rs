//! Finds where one HTTP/1.1 response ends, for answers that are small enough to be looked at anew with each piece:
//! a load generator must cost next to nothing beside what it measures.

/// Why the bytes are not a response this client understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// One whole response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole {
    /// The status code.
    pub(crate) status: u16,
    /// How many bytes it takes, head and body.
    pub(crate) length: usize,
    /// Whether the server closes the connection after it.
    pub(crate) closes: bool,
}

/// The response at the beginning of `bytes`, or none as long as a part is missing.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Whole>, Malformed> {
    let Some(head_end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = (&bytes[..head_end + 2], &bytes[head_end + 4..]);
    let status = status(head)?;
    let closes = header(head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
    let body_length = if let Some(value) = header(head, b"content-length") {
        let length = number(value, 10).ok_or(Malformed("content-length is not a number"))?;
        (body.len() >= length).then_some(length)
    } else if header(head, b"transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) {
        chunked_length(body)?
    } else {
        return Err(Malformed("neither content-length nor chunks: the end cannot be seen"));
    };
    Ok(body_length.map(|length| Whole { status, length: head_end + 4 + length, closes }))
}

/// How long the chunked body is, or none as long as a part is missing. Trailers are not expected.
fn chunked_length(body: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut at = 0;
    loop {
        let Some(line) = body.get(at..).and_then(|rest| find(rest, b"\r\n")) else { return Ok(None) };
        let digits = body[at..at + line].split(|&byte| byte == b';').next().unwrap_or_default();
        let size = number(digits, 16).ok_or(Malformed("a chunk's size is not a number"))?;
        at += line + 2 + size;
        match body.get(at..at + 2) {
            None => return Ok(None),
            Some(b"\r\n") => at += 2,
            Some(_) => return Err(Malformed("a chunk does not end where it says")),
        }
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

fn status(head: &[u8]) -> Result<u16, Malformed> {
    let digits = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let digits = digits.ok_or(Malformed("not an HTTP/1.1 status line"))?;
    number(digits, 10).map(|code| code as u16).ok_or(Malformed("the status is not a number"))
}

/// The value of the first header of that name, which is given in lower case.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').skip(1).find_map(|line| {
        let has_name = line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name);
        let value = line.get(name.len()..)?.strip_prefix(b":")?;
        has_name.then(|| value.trim_ascii())
    })
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    // A size beyond this is an error anyway, and would not be counted past the end of memory.
    let digits = std::str::from_utf8(digits).ok()?.trim();
    usize::from_str_radix(digits, radix).ok().filter(|number| *number <= 1 << 30)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::{Whole, parse};

    const WITH_LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nHello";
    const CHUNKED: &[u8] = b"HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\nd\r\nHello, Hull!\n\r\n0\r\n\r\n";

    #[test]
    fn both_framings_are_understood() {
        assert_eq!(parse(WITH_LENGTH), Ok(Some(Whole { status: 200, length: WITH_LENGTH.len(), closes: false })));
        assert_eq!(parse(CHUNKED), Ok(Some(Whole { status: 503, length: CHUNKED.len(), closes: false })));
    }

    #[test]
    fn a_last_answer_says_so() {
        let last = b"HTTP/1.1 500 Oops\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(parse(last), Ok(Some(Whole { status: 500, length: last.len(), closes: true })));
    }

    #[test]
    fn what_follows_is_left_alone() {
        let two = [WITH_LENGTH, CHUNKED].concat();
        assert_eq!(parse(&two).map(|whole| whole.map(|whole| whole.length)), Ok(Some(WITH_LENGTH.len())));
    }

    #[test]
    fn a_part_is_not_a_response() {
        for whole in [WITH_LENGTH, CHUNKED] {
            for end in 0..whole.len() {
                assert_eq!(parse(&whole[..end]), Ok(None), "{end}");
            }
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for nonsense in [
            &b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ] {
            assert!(parse(nonsense).is_err(), "{}", String::from_utf8_lossy(nonsense));
        }
    }
}
