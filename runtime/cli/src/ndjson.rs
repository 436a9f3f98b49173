//! Answers that are a line of JSON after another, for as long as they come.

use anyhow::{Context as _, bail};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// Hand over each line until there are no more, or until the taker has had enough: it says whether it wants another.
/// Lines have so many bytes at the most.
pub(crate) async fn each_line(
    mut body: Incoming,
    bytes_max: usize,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let mut lines = Lines { begun: Vec::new(), bytes_max };
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.context("the answer broke off")?.into_data()
            && !lines.push(&data, &mut take)?
        {
            return Ok(());
        }
    }
    lines.end(&mut take).map(drop)
}

/// Puts lines together that come in pieces.
struct Lines {
    begun: Vec<u8>,
    bytes_max: usize,
}

impl Lines {
    fn push(&mut self, data: &[u8], take: &mut impl FnMut(&[u8]) -> anyhow::Result<bool>) -> anyhow::Result<bool> {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.len() + piece.len() > self.bytes_max {
                bail!("the host has sent a line of more than {} bytes", self.bytes_max);
            }
            self.begun.extend_from_slice(piece);
            if self.begun.pop_if(|last| *last == b'\n').is_some() && !self.end(take)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn end(&mut self, take: &mut impl FnMut(&[u8]) -> anyhow::Result<bool>) -> anyhow::Result<bool> {
        let line = std::mem::take(&mut self.begun);
        // Empty lines keep a quiet connection alive.
        if line.is_empty() { Ok(true) } else { take(&line) }
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn lines_are_put_together() {
        let mut seen = Vec::new();
        let mut take = |line: &[u8]| {
            seen.push(String::from_utf8_lossy(line).into_owned());
            Ok(seen.len() < 3)
        };
        let mut lines = Lines { begun: Vec::new(), bytes_max: 10 };
        for piece in ["a", "b\n\nc", "d\ne"] {
            assert!(lines.push(piece.as_bytes(), &mut take).expect("short lines"));
        }
        assert!(!lines.push(b"f\ng\n", &mut take).expect("a short line"), "enough");
        assert!(lines.push(&[b'x'; 11], &mut take).is_err());
        assert_eq!(seen, ["ab", "cd", "ef"]);
    }
}
