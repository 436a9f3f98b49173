//! Names: of components, of versions, of requests. Cheap to clone, because every invocation carries some.

use std::fmt;
use std::sync::Arc;

/// A component of an app: the name it has everywhere, in metrics, paths and subjects.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId {
    app: Arc<str>,
    component: Arc<str>,
}

impl ComponentId {
    /// Both names as the manifest has validated them.
    pub fn new(app: impl Into<Arc<str>>, component: impl Into<Arc<str>>) -> Self {
        Self { app: app.into(), component: component.into() }
    }

    /// The app's name.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The component's name within the app.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// Another component of the same app.
    #[must_use]
    pub fn sibling(&self, component: &str) -> Self {
        Self { app: Arc::clone(&self.app), component: component.into() }
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.component)
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A version of a component: the SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId([u8; 32]);

impl VersionId {
    /// From the digest itself.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// The longest request or correlation id that is accepted from outside, in bytes.
pub(crate) const REQUEST_ID_LENGTH_MAX: usize = 128;

/// Names a request (or a whole business process) in logs, headers and answers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

/// An id from outside that cannot be a header value or is too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {REQUEST_ID_LENGTH_MAX} visible ASCII characters")]
pub struct InvalidHeaderId;

impl RequestId {
    /// An id that this host made from random bytes, as 32 hexadecimal digits.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(32);
        for byte in bytes {
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        Self(text.into())
    }

    /// An id from outside: visible ASCII, of bounded length, so that it can go into headers and logs as it is.
    pub fn parse(text: &str) -> Result<Self, InvalidHeaderId> {
        let length_fits = !text.is_empty() && text.len() <= REQUEST_ID_LENGTH_MAX;
        if length_fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidHeaderId)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn ids_from_outside_are_bounded_and_printable() {
        assert!(RequestId::parse("abc-123").is_ok());
        for bad in ["", "with space", "line\nbreak", "ümlaut", &"x".repeat(129)] {
            assert!(RequestId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn made_ids_are_hexadecimal() {
        assert_eq!(RequestId::from_bytes([0xab; 16]).as_str(), "ab".repeat(16));
    }
}
