//! What an operator decides about NATS, and the bounds that have a default.

use std::path::PathBuf;
use std::time::Duration;

/// How events are kept on NATS JetStream.
#[derive(Clone)]
pub struct NatsOptions {
    /// Of a server; the others of its cluster are learned from it. May hold a user and a password.
    pub url: String,
    /// A credentials file, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// Who signs the server's certificate, in PEM; none trusts what the system trusts.
    pub ca: Option<PathBuf>,
    /// The certificate that this host shows, and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How many servers hold each stream.
    pub replicas: usize,
    /// How long an event is kept at least, however soon every consumer has acknowledged it.
    pub retain: Duration,
    /// How long the server remembers the id of an event. It costs the server some hundred bytes of memory an event.
    pub duplicate_window: Duration,
    /// How many bytes a new stream may take; one that exists keeps its bound.
    pub bytes_max: u64,
    /// How large an event may be with its attributes and headers; the server's own bound counts too.
    pub event_bytes_max: usize,
    /// How many requests may wait for an answer.
    pub requests_max: usize,
    /// How long a publish is tried, through lost connections, before it fails.
    pub publish_time: Duration,
    /// How often events that nobody needs any more are dropped.
    pub retain_every: Duration,
}

impl NatsOptions {
    /// The defaults, for this server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            ca: None,
            identity: None,
            replicas: 1,
            retain: Duration::from_hours(7 * 24),
            duplicate_window: Duration::from_mins(15),
            bytes_max: 4 << 30,
            event_bytes_max: 9 << 20,
            requests_max: 1024,
            publish_time: Duration::from_secs(10),
            retain_every: Duration::from_mins(1),
        }
    }

    /// The server's address without what is secret in it.
    pub(super) fn address(&self) -> String {
        match self.split() {
            Some((scheme, _, address)) => format!("{scheme}://{address}"),
            None => self.url.clone(),
        }
    }

    /// The user and the password in the URL; one word alone is a token.
    pub(super) fn login(&self) -> Option<(String, Option<String>)> {
        let (_, login, _) = self.split()?;
        Some(match login.split_once(':') {
            Some((user, password)) => (plain(user), Some(plain(password))),
            None => (plain(login), None),
        })
    }

    fn split(&self) -> Option<(&str, &str, &str)> {
        let (scheme, rest) = self.url.split_once("://")?;
        let (login, address) = rest.rsplit_once('@')?;
        Some((scheme, login, address))
    }
}

/// The text that a percent-encoded one means.
fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::NatsOptions;

    #[test]
    fn logins_are_read_and_not_shown() {
        let login = |user: &str, password: Option<&str>| Some((user.to_owned(), password.map(str::to_owned)));
        for (url, shown, read) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222", None),
            ("tls://hull:se@cret@bus.example", "tls://bus.example", login("hull", Some("se@cret"))),
            ("nats://hull:a%3Ab%2f%25@[::1]:1", "nats://[::1]:1", login("hull", Some("a:b/%"))),
            ("nats://token@a", "nats://a", login("token", None)),
        ] {
            let options = NatsOptions::new(url);
            assert_eq!((options.address().as_str(), options.login()), (shown, read), "{url}");
        }
    }
}
