//! The W3C trace context, level 1 (<https://www.w3.org/TR/trace-context/>): accepted, made, and passed on.

use std::fmt;

/// Which trace an invocation belongs to, and which span of it this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// A new trace. `random` must not be all zero in either half, which the standard forbids; zero bytes are
    /// replaced.
    pub fn root(random: [u8; 16], span: u64) -> Self {
        let mut trace_id = random;
        trace_id[15] |= u8::from(random == [0; 16]);
        Self { trace_id, span_id: span.max(1).to_be_bytes(), flags: 0 }
    }

    /// The same trace, another span.
    #[must_use]
    pub fn child(&self, span: u64) -> Self {
        Self { span_id: span.max(1).to_be_bytes(), ..*self }
    }

    /// Parse a `traceparent` header. `None` means that a new trace is to be started, as the standard asks for a
    /// header that cannot be parsed. Versions after 00 are read as far as they look like 00.
    pub fn parse(header: &str) -> Option<Self> {
        let bytes = header.as_bytes();
        let future_version = bytes.len() > 55 && bytes[55] == b'-' && !header.starts_with("00");
        if bytes.len() != 55 && !future_version {
            return None;
        }
        if bytes[2] != b'-' || bytes[35] != b'-' || bytes[52] != b'-' || header.starts_with("ff") {
            return None;
        }
        let [_version] = hex::<1>(&bytes[..2])?;
        let trace_id = hex::<16>(&bytes[3..35])?;
        let span_id = hex::<8>(&bytes[36..52])?;
        let [flags] = hex::<1>(&bytes[53..55])?;
        if trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        Some(Self { trace_id, span_id, flags })
    }

    /// The trace id as 32 hexadecimal digits.
    pub fn trace_id(&self) -> impl fmt::Display + use<> {
        Hex(self.trace_id)
    }

    /// The span id as 16 hexadecimal digits.
    pub fn span_id(&self) -> impl fmt::Display + use<> {
        Hex(self.span_id)
    }
}

/// As a `traceparent` header, version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{}", Hex(self.trace_id), Hex(self.span_id), Hex([self.flags]))
    }
}

struct Hex<const N: usize>([u8; N]);

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every request writes its trace: going through the formatter once per byte would show.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&digits[..2 * N]).map_err(|_| fmt::Error)?)
    }
}

/// Lower-case hexadecimal only: the standard forbids upper case.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0_u8; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    const SAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_survives_the_round_trip() {
        assert_eq!(TraceContext::parse(SAMPLE).map(|trace| trace.to_string()), Some(SAMPLE.to_owned()));
    }

    #[test]
    fn what_the_standard_forbids_starts_a_new_trace() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let zero_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let version_ff = SAMPLE.replacen("00", "ff", 1);
        let upper = SAMPLE.to_uppercase();
        let long = format!("{SAMPLE}-x");
        for bad in ["", "00", zero_trace, zero_span, &version_ff, &upper, &long, &"é".repeat(28)] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = format!("{}-what-comes", SAMPLE.replacen("00", "01", 1));
        assert_eq!(TraceContext::parse(&later).map(|trace| trace.to_string()), Some(SAMPLE.to_owned()));
    }

    #[test]
    fn a_child_keeps_the_trace_and_changes_the_span() {
        let child = TraceContext::parse(SAMPLE).map(|trace| trace.child(7).to_string());
        assert_eq!(child.as_deref(), Some("00-0af7651916cd43dd8448eb211c80319c-0000000000000007-01"));
    }
}
