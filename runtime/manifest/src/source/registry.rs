//! The hosts of registries.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::url::is_loopback;
use crate::problem::Invalid;
use crate::read::TextSetting;

/// A host, and perhaps a port: `ghcr.io`, `localhost:5000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryHost {
    written: String,
    base: Url,
}

impl RegistryHost {
    /// Where it is spoken to: `https`, unless it is on this machine.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }
}

impl FromStr for RegistryHost {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_bare = !text.contains(['/', '?', '#', '@', '\\', ' ']) && !text.is_empty();
        let parse = |scheme: &str| Url::parse(&format!("{scheme}://{text}/")).ok().filter(|_| is_bare);
        let base = parse("https").and_then(|url| if is_loopback(&url) { parse("http") } else { Some(url) });
        let base = base.ok_or_else(|| {
            let remedy = "write a host, perhaps with a port, as in \"ghcr.io\" or \"localhost:5000\"";
            Invalid::new(format!("\"{text}\" is no registry"), remedy)
        })?;
        Ok(Self { written: text.to_owned(), base })
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl TextSetting for RegistryHost {
    const WANTED: &'static str = "the host of a registry, such as \"ghcr.io\"";
}

#[cfg(test)]
mod tests {
    use super::RegistryHost;
    use crate::source::{DownloadUrl, PackageName, PackageVersion};

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        let base = |text: &str| text.parse::<RegistryHost>().map(|registry| registry.base().to_string()).ok();
        assert_eq!(base("ghcr.io").as_deref(), Some("https://ghcr.io/"));
        assert_eq!(base("registry.example:5000").as_deref(), Some("https://registry.example:5000/"));
        for here in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert_eq!(base(here), Some(format!("http://{here}/")));
        }
        for wrong in ["", "https://ghcr.io", "ghcr.io/acme", "user@ghcr.io", "a b", "ghcr.io?x", "x:99999", "a\\b"] {
            assert_eq!(base(wrong), None, "{wrong}");
        }
        // A name that only looks like this machine's.
        assert_eq!(base("localhost.example").as_deref(), Some("https://localhost.example/"));
    }

    #[test]
    fn files_come_from_where_nobody_can_change_them() {
        for good in ["https://example.com/a.wasm?x=1", "http://127.0.0.1:80/a", "http://localhost/a", "http://[::1]/a"]
        {
            assert!(good.parse::<DownloadUrl>().is_ok(), "{good}");
        }
        let wrong = [
            "http://example.com/a",
            "http://127.0.0.1.example.com/a",
            "ftp://127.0.0.1/a",
            "https://user:secret@example.com/a",
            "https://example.com/a#b",
            "file:///etc/passwd",
            "a.wasm",
        ];
        for wrong in wrong {
            assert!(wrong.parse::<DownloadUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn packages_and_versions_are_whole() {
        assert!("acme:orders".parse::<PackageName>().is_ok());
        for wrong in ["orders", "acme/orders", "acme:", ":orders", "acme:a/../b", "acme:a:b", "Acme:orders"] {
            assert!(wrong.parse::<PackageName>().is_err(), "{wrong}");
        }
        let tag = |text: &str| text.parse::<PackageVersion>().map(|version| version.tag()).ok();
        assert_eq!(tag("1.2.0-rc.1+5").as_deref(), Some("1.2.0-rc.1_5"));
        for wrong in ["1", "1.2", "^1.2.0", "latest", "1.2.0/x", "v1.2.0"] {
            assert_eq!(tag(wrong), None, "{wrong}");
        }
    }
}
