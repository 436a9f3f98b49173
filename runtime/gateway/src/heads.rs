//! Finds and checks every request head of an HTTP/1 connection, before the HTTP library sees it. The library is
//! lenient where smuggling begins (it takes a bare LF for a line end, drops Content-Length beside
//! Transfer-Encoding, merges equal Content-Lengths) and answers what it cannot parse without a body; this is
//! strict, and tells why. Pure: bytes in, verdicts out.

use crate::framing::{Body, Broken};
use crate::head_lines::{Facts, header_line, request_line};
use crate::refusal::Refusal;

/// Bounds on a head.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "bounds are called so everywhere")]
pub(crate) struct HeadLimits {
    /// All of it, in bytes.
    pub(crate) bytes_max: usize,
    /// Header lines.
    pub(crate) count_max: usize,
    /// The request target, in bytes.
    pub(crate) target_bytes_max: usize,
}

/// What can be done with the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// So many may be passed on; what follows them is a head that is not complete yet, to be shown again together
    /// with what comes next.
    Pass(usize),
    /// So many may be passed on; then comes a head that is refused. The connection cannot go on after that.
    Refuse(usize, Refusal),
    /// A body is framed so badly that nobody knows where it ends.
    Broken,
}

/// Where an HTTP/1 connection stands between its messages.
#[derive(Debug)]
pub(crate) struct Heads {
    limits: HeadLimits,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Head(Partial),
    Body(Body),
}

/// What is known of a head that is not complete: `checked` bytes of it have been gone through.
#[derive(Debug, Default)]
struct Partial {
    checked: usize,
    lines: usize,
    facts: Facts,
}

enum Head {
    Incomplete,
    Complete { length: usize, body: Option<Body> },
}

impl Heads {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self { limits, phase: Phase::Head(Partial::default()) }
    }

    /// Whether the last message is over and nothing of the next has come.
    pub(crate) fn is_between(&self) -> bool {
        matches!(&self.phase, Phase::Head(partial) if partial.checked == 0)
    }

    /// Whether a body is still to come.
    pub(crate) fn is_in_body(&self) -> bool {
        matches!(self.phase, Phase::Body(_))
    }

    /// Go through bytes: first those of an incomplete head that were not passed on last time, then new ones.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Verdict {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match &mut self.phase {
                Phase::Body(body) => match body.advance(rest) {
                    Err(Broken) => return Verdict::Broken,
                    Ok(None) => return Verdict::Pass(bytes.len()),
                    Ok(Some(used)) => {
                        at += used;
                        self.phase = Phase::Head(Partial::default());
                    }
                },
                Phase::Head(partial) => match partial.advance(rest, self.limits) {
                    Err(refusal) => return Verdict::Refuse(at, refusal),
                    Ok(Head::Incomplete) => return Verdict::Pass(at),
                    Ok(Head::Complete { length, body }) => {
                        at += length;
                        self.phase = body.map_or_else(|| Phase::Head(Partial::default()), Phase::Body);
                    }
                },
            }
        }
    }
}

impl Partial {
    fn advance(&mut self, head: &[u8], limits: HeadLimits) -> Result<Head, Refusal> {
        while let Some(found) = head.get(self.checked..).and_then(find_line_feed) {
            let end = self.checked + found;
            if end >= limits.bytes_max {
                return Err(Refusal::HeadersTooLarge);
            }
            let line = head.get(self.checked..end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else { return Err(Refusal::BareLineFeed) };
            self.checked = end + 1;
            if line.is_empty() {
                // RFC 9112, 2.2: an empty line before the request line is to be ignored.
                if self.lines == 0 {
                    continue;
                }
                return Ok(Head::Complete { length: self.checked, body: self.facts.body() });
            }
            self.line(line, limits)?;
        }
        let unfinished = head.len();
        if unfinished >= limits.bytes_max {
            // The target alone may be what is too long.
            let only_target = self.lines == 0 && unfinished > limits.target_bytes_max;
            return Err(if only_target { Refusal::TargetTooLong } else { Refusal::HeadersTooLarge });
        }
        Ok(Head::Incomplete)
    }

    fn line(&mut self, line: &[u8], limits: HeadLimits) -> Result<(), Refusal> {
        self.lines += 1;
        if self.lines == 1 {
            return request_line(line, limits.target_bytes_max, &mut self.facts);
        }
        if self.lines > limits.count_max + 1 {
            return Err(Refusal::HeadersTooLarge);
        }
        header_line(line, &mut self.facts)
    }
}

fn find_line_feed(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

#[cfg(test)]
#[path = "heads_tests.rs"]
mod tests;
