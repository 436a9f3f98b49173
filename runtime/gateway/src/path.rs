//! The path as routes see it: empty and dot segments resolved, percent signs left as they are. Matching another
//! path than the one a guest may resolve would let a request slip past the policies of the route it ends up in.
//! The guest itself gets the path that the client sent.

use std::borrow::Cow;

use crate::refusal::Refusal;

/// A path as routes see it, for whoever has a request in hand that the gateway has let in; none where it would not.
pub fn meant(path: &str) -> Option<Cow<'_, str>> {
    normalised(path).ok()
}

/// The path to match routes with. It starts with a slash and has no empty segment but, perhaps, the last.
pub(crate) fn normalised(path: &str) -> Result<Cow<'_, str>, Refusal> {
    let mut previous = 0;
    let has_special = path.bytes().any(|byte| {
        let special = byte == b'%' || byte == b'\\' || (previous == b'/' && (byte == b'/' || byte == b'.'));
        previous = byte;
        special
    });
    if has_special { resolve(path) } else { Ok(Cow::Borrowed(path)) }
}

fn resolve(path: &str) -> Result<Cow<'_, str>, Refusal> {
    let mut kept: Vec<&str> = Vec::new();
    let mut same = true;
    let mut ends_in_slash = false;
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let text = decoded(segment).ok_or(Refusal::PathEncoding)?;
        ends_in_slash = matches!(&*text, "" | "." | "..");
        match &*text {
            "" if is_last => {}
            "" | "." => same = false,
            ".." => {
                same = false;
                kept.pop().ok_or(Refusal::PathAboveRoot)?;
            }
            text if text.split(['/', '\\']).any(leads_up) => return Err(Refusal::PathEncoding),
            _ => kept.push(segment),
        }
    }
    if same {
        return Ok(Cow::Borrowed(path));
    }
    let mut resolved = String::with_capacity(path.len());
    for segment in &kept {
        resolved.push('/');
        resolved.push_str(segment);
    }
    if ends_in_slash || kept.is_empty() {
        resolved.push('/');
    }
    Ok(Cow::Owned(resolved))
}

/// `..`, also as servers read it that take what follows a `;` for a parameter (RFC 3986, 3.3).
fn leads_up(part: &str) -> bool {
    part.split(';').next() == Some("..")
}

/// What a percent-encoded text stands for. `None` if it is not encoded properly, holds a NUL or is not UTF-8.
pub(crate) fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let value = digit()? << 4 | digit()?;
        if value == 0 {
            return None;
        }
        bytes.push(value as u8);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::normalised;
    use crate::refusal::Refusal;

    #[test]
    fn dot_segments_and_empty_segments_are_resolved() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("//a", "/a"),
            ("/a//b///c/", "/a/b/c/"),
            ("/a//", "/a/"),
            ("/./a/.", "/a/"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a%20b/../c%20d", "/c%20d"),
            ("/...", "/..."),
            ("/a/.hidden", "/a/.hidden"),
            ("/a%2Fb", "/a%2Fb"),
        ] {
            assert_eq!(normalised(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_needs_no_change_is_not_copied() {
        for path in ["/", "/a/b.c", "/caf%C3%A9", "/.well-known/x", "/a/"] {
            assert!(matches!(normalised(path), Ok(Cow::Borrowed(_))), "{path}");
        }
    }

    #[test]
    fn paths_that_mean_nothing_or_hide_something_are_refused() {
        for path in [
            "/%",
            "/%2",
            "/%zz",
            "/%00",
            "/%ff",
            "/%c3",
            "/a/..%2fb",
            "/a/%2e%2e%5cb",
            "/a/b\\..\\..\\c",
            "/a/..\\b",
            "/a/..;/b",
            "/a/%2e%2e;x=1/b",
        ] {
            assert_eq!(normalised(path), Err(Refusal::PathEncoding), "{path}");
        }
        for path in ["/..", "/a/../..", "/%2e%2e/a"] {
            assert_eq!(normalised(path), Err(Refusal::PathAboveRoot), "{path}");
        }
    }
}
