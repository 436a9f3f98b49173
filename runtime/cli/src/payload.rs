//! What is sent: a text, a file, or standard input; and what kind of content that looks like.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use serde::de::IgnoredAny;

/// Nothing longer is sent, in bytes: no host takes more.
const PAYLOAD_BYTES_MAX: u64 = 16 << 20;

/// The body that `--data` names: `@FILE`, `-`, or the text itself.
pub(crate) fn of_argument(data: &str) -> anyhow::Result<Bytes> {
    match data.strip_prefix('@') {
        Some(file) => of_file(Path::new(file)),
        None if data == "-" => of_stdin(),
        None => Ok(Bytes::copy_from_slice(data.as_bytes())),
    }
}

/// A file's content; `-` and none are standard input.
pub(crate) fn of_file_or_stdin(file: Option<&Path>) -> anyhow::Result<Bytes> {
    match file {
        Some(file) if file != Path::new("-") => of_file(file),
        _ => of_stdin(),
    }
}

/// The media type that the content looks like.
pub(crate) fn kind_of(content: &[u8]) -> &'static str {
    if serde_json::from_slice::<IgnoredAny>(content).is_ok() {
        "application/json"
    } else if std::str::from_utf8(content).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

fn of_file(file: &Path) -> anyhow::Result<Bytes> {
    let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    read(opened, &file.display().to_string())
}

fn of_stdin() -> anyhow::Result<Bytes> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        eprintln!("reading standard input; Ctrl-D ends it");
    }
    read(stdin.lock(), "standard input")
}

fn read(from: impl Read, name: &str) -> anyhow::Result<Bytes> {
    let mut content = Vec::new();
    from.take(PAYLOAD_BYTES_MAX + 1).read_to_end(&mut content).with_context(|| format!("cannot read {name}"))?;
    if content.len() as u64 > PAYLOAD_BYTES_MAX {
        bail!("{name} is longer than {} MiB", PAYLOAD_BYTES_MAX >> 20);
    }
    Ok(content.into())
}

#[cfg(test)]
mod tests {
    use super::{kind_of, of_argument};

    #[test]
    fn content_tells_its_kind() {
        let all = [b"{\"a\":1}\n".as_slice(), b"7", b"Ada\n", b"", b"\xff"].map(kind_of);
        let (json, text, bytes) = ("application/json", "text/plain; charset=utf-8", "application/octet-stream");
        assert_eq!(all, [json, json, text, text, bytes]);
    }

    #[test]
    fn data_is_a_text_or_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("body");
        std::fs::write(&file, "from a file").expect("written");
        assert_eq!(of_argument("as it is").expect("a text"), "as it is");
        assert_eq!(of_argument(&format!("@{}", file.display())).expect("a file"), "from a file");
        assert!(of_argument("@/does/not/exist").expect_err("no file").to_string().contains("cannot open"));
    }
}
