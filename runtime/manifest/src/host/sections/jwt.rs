//! `[auth.jwt]`: whose tokens are accepted.

use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting};
use crate::server_url::HttpUrl;

/// Whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must hold.
    pub audience: String,
    /// The issuer's keys.
    pub jwks: Jwks,
}

/// Where an issuer's keys are (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// Fetched, and fetched again when they change.
    Url(HttpUrl),
    /// A file, relative to `hull.toml`.
    File(String),
}

impl Setting for Jwt {
    const WANTED: &'static str = "{ issuer = \"…\", audience = \"…\", jwks-url = \"…\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let (issuer, audience) = (table.required("issuer"), table.required("audience"));
        let (url_item, file_item) = (table.get("jwks-url"), table.get("jwks-file"));
        let jwks = match (url_item, file_item) {
            (Some(url), None) => HttpUrl::read(&url).map(Jwks::Url),
            (None, Some(file)) => String::read(&file).map(Jwks::File),
            (Some(_), Some(file)) => {
                file.wrong("there is a jwks-url as well", "keep one of them");
                None
            }
            (None, None) => {
                let message = format!("`{}` has no keys", table.path);
                let remedy = "add jwks-url = \"https://…\" or jwks-file = \"jwks.json\"";
                table.report.missing(&table.span, message, remedy);
                None
            }
        };
        table.finish();
        Some(Self { issuer: issuer?, audience: audience?, jwks: jwks? })
    }

    fn show(&self) -> Shown {
        let keys = match &self.jwks {
            Jwks::Url(url) => Entry::new("jwks-url", url.show()),
            Jwks::File(path) => Entry::new("jwks-file", path.show()),
        };
        let (issuer, audience) = (self.issuer.show(), self.audience.show());
        Shown::Section(vec![Entry::new("issuer", issuer), Entry::new("audience", audience), keys])
    }
}
