//! The head checker against well-formed and malformed connections, whole and in pieces of every size.

use super::{HeadLimits, Heads, Verdict};
use crate::refusal::Refusal;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, count_max: 4, target_bytes_max: 64 };

fn heads() -> Heads {
    Heads::new(LIMITS)
}

/// Feed the bytes in pieces, as a connection does: what was not passed on is shown again with what follows.
fn feed(bytes: &[u8], piece: usize) -> (Verdict, Heads) {
    let (mut heads, mut shown, mut passed) = (heads(), Vec::new(), 0);
    for part in bytes.chunks(piece) {
        shown.extend_from_slice(part);
        match heads.advance(&shown) {
            Verdict::Pass(count) => {
                shown.drain(..count);
                passed += count;
            }
            Verdict::Refuse(count, why) => return (Verdict::Refuse(passed + count, why), heads),
            Verdict::Broken => return (Verdict::Broken, heads),
        }
    }
    (Verdict::Pass(passed), heads)
}

#[test]
fn whole_messages_pass_in_pieces_of_any_size() {
    let requests: &[u8] = b"\r\nGET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n\
        POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab\r\n\n\
        POST /c HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: Chunked\r\n\r\n\
        5;ext=\"1\"\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n\
        POST /d HTTP/1.0\r\ncontent-length: 0\r\n\r\n\
        GET http://x/e HTTP/1.1\r\nhost: x\r\nx-name: J\xc3\xbcrgen\r\n\r\n";
    for piece in 1..=requests.len() {
        let (verdict, heads) = feed(requests, piece);
        assert_eq!(verdict, Verdict::Pass(requests.len()), "pieces of {piece}");
        assert!(heads.is_between() && !heads.is_in_body());
    }
}

#[test]
fn an_incomplete_head_is_kept_back_and_bodies_are_not() {
    let (verdict, heads) = feed(b"GET / HTTP/1.1\r\nhost: x\r\n", 7);
    assert_eq!(verdict, Verdict::Pass(0));
    assert!(!heads.is_between());
    let (verdict, heads) = feed(b"PUT / HTTP/1.1\r\ncontent-length: 9\r\n\r\nab", 1024);
    assert_eq!(verdict, Verdict::Pass(39));
    assert!(heads.is_in_body());
}

#[test]
fn malformed_heads_are_refused_with_the_reason() {
    use Refusal as R;
    let long_target = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(LIMITS.target_bytes_max));
    let large = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(LIMITS.bytes_max));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(LIMITS.count_max + 1));
    let cases: &[(&[u8], Refusal)] = &[
        (b"GET / HTTP/1.1\nhost: x\n\n", R::BareLineFeed),
        (b"GET / HTTP/1.1\r\nhost: x\n\r\n", R::BareLineFeed),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\n", R::BareLineFeed),
        (b"GET /\r\n\r\n", R::RequestLine),
        (b"GET  / HTTP/1.1\r\n\r\n", R::RequestLine),
        (b"GET / HTTP/1.1 \r\n\r\n", R::RequestLine),
        (b" GET / HTTP/1.1\r\n\r\n", R::RequestLine),
        (b"G@T / HTTP/1.1\r\n\r\n", R::RequestLine),
        (b"GET / http/1.1\r\n\r\n", R::RequestLine),
        (b"\x16\x03\x01\x02\r\n\r\n", R::RequestLine),
        (b"GET / HTTP/2.0\r\n\r\n", R::Version),
        (b"GET / HTTP/0.9\r\n\r\n", R::Version),
        (b"GET /a<b HTTP/1.1\r\n\r\n", R::Target),
        (b"GET /\xff HTTP/1.1\r\n\r\n", R::Target),
        (b"GET /a\tb HTTP/1.1\r\n\r\n", R::Target),
        (b"GET http:// HTTP/1.1\r\n\r\n", R::Target),
        (long_target.as_bytes(), R::TargetTooLong),
        (large.as_bytes(), R::HeadersTooLarge),
        (many.as_bytes(), R::HeadersTooLarge),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", R::HeaderLine),
        (b"GET / HTTP/1.1\r\nhost\r\n\r\n", R::HeaderLine),
        (b"GET / HTTP/1.1\r\n: x\r\n\r\n", R::HeaderLine),
        (b"GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", R::HeaderLine),
        (b"GET / HTTP/1.1\r\na: b\rc\r\n\r\n", R::HeaderLine),
        (b"GET / HTTP/1.1\r\na: \0\r\n\r\n", R::HeaderLine),
        (b"GET / HTTP/1.1\r\na: \xff\r\n\r\n", R::HeaderEncoding),
        (b"GET / HTTP/1.1\r\ncontent-length: 1\r\nContent-Length: 1\r\n\r\n", R::ContentLength),
        (b"GET / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n", R::ContentLength),
        (b"GET / HTTP/1.1\r\ncontent-length: +1\r\n\r\n", R::ContentLength),
        (b"GET / HTTP/1.1\r\ncontent-length:\r\n\r\n", R::ContentLength),
        (b"GET / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n", R::ContentLength),
        (b"GET / HTTP/1.1\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n", R::LengthAndEncoding),
        (b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n", R::LengthAndEncoding),
        (b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", R::TransferEncoding),
        (b"GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", R::TransferEncoding),
        (b"GET / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", R::UnknownCoding),
        (b"GET / HTTP/1.1\r\ntransfer-encoding: \x0bchunked\r\n\r\n", R::HeaderLine),
    ];
    for (bytes, why) in cases {
        for piece in [1, 5, bytes.len()] {
            let (verdict, _) = feed(bytes, piece);
            assert_eq!(verdict, Verdict::Refuse(0, *why), "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn what_came_before_a_refused_head_still_passes() {
    let good = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
    let both = [&good[..], b"GET / HTTP/9\r\n\r\n"].concat();
    assert_eq!(feed(&both, both.len()).0, Verdict::Refuse(good.len(), Refusal::RequestLine));
}

#[test]
fn a_head_without_an_end_is_refused_at_its_bound() {
    let endless = "x".repeat(LIMITS.bytes_max);
    let (verdict, _) = feed(format!("GET / HTTP/1.1\r\na: {endless}").as_bytes(), 100);
    assert_eq!(verdict, Verdict::Refuse(0, Refusal::HeadersTooLarge));
    let (verdict, _) = feed(format!("GET /{endless}").as_bytes(), 100);
    assert_eq!(verdict, Verdict::Refuse(0, Refusal::TargetTooLong));
}

#[test]
fn chunks_that_nobody_can_tell_apart_break_the_connection() {
    let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    let long_line = format!("1;{}", "x".repeat(20_000));
    let long_trailers = format!("0\r\n{}", "a: b\r\n".repeat(4_000));
    for chunks in [
        "\r\n",
        "x\r\n",
        "1\nab",
        "1\r\nabc",
        "1\r\na\n",
        "-1\r\n",
        "0x1\r\na\r\n",
        "11111111111111111\r\n",
        "1\rx",
        "0\r\na\n",
        &long_line,
        &long_trailers,
    ] {
        for piece in [1, 9, usize::MAX] {
            assert_eq!(feed(format!("{head}{chunks}").as_bytes(), piece).0, Verdict::Broken, "{chunks:.20}");
        }
    }
}
