//! `[application.tool.hull.routes."…"]`: what the gateway asks of requests before anyone answers them.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::effective::{Entry, Shown};
use crate::header_name::HeaderName;
use crate::problem::Invalid;
use crate::read::{Item, Setting, TextSetting, settings, words};
use crate::split::RouteSplit;
use crate::units::ByteSize;

settings! {
    /// The policies of a route.
    pub struct RoutePolicy {
        /// Who may come.
        "auth" auth: Auth = Auth::None;
        /// What a token must grant, by method; a method that is not named needs nothing more.
        "scopes" scopes: BTreeMap<Method, Vec<String>> = BTreeMap::new();
        /// How often.
        "rate-limit" rate_limit: Option<RateLimit> = None;
        /// To the last byte of the answer; none leaves the component's own `time`.
        "timeout" timeout: Option<Duration> = None;
        /// Which pages of other origins may ask; none sends no CORS headers.
        "cors" cors: Option<Cors> = None;
        /// Whether answers are kept; none asks every time.
        "cache" cache: Option<Cache> = None;
        /// The body of a request; none leaves the component's own `body-in-max`.
        "body-max" body_max: Option<ByteSize> = None;
        /// Whether an upstream still answers a part; none leaves all to the component.
        "split" split: Option<RouteSplit> = None;
    }
}

words! {
    /// How a caller shows who it is.
    pub enum Auth, "\"none\", \"jwt\", \"api-key\" or \"mtls\"" {
        /// Not at all.
        None = "none",
        /// A bearer token.
        Jwt = "jwt",
        /// A key in a header.
        ApiKey = "api-key",
        /// A client certificate.
        Mtls = "mtls",
    }
}

words! {
    /// An HTTP method.
    pub enum Method, "an HTTP method" {
        /// RFC 9110.
        Get = "GET",
        /// RFC 9110.
        Head = "HEAD",
        /// RFC 9110.
        Post = "POST",
        /// RFC 9110.
        Put = "PUT",
        /// RFC 5789.
        Patch = "PATCH",
        /// RFC 9110.
        Delete = "DELETE",
        /// RFC 9110.
        Options = "OPTIONS",
    }
}

/// So many requests in a time, for each of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub requests: NonZeroU32,
    /// In which time.
    pub per: Duration,
    /// For each of what.
    pub by: RateKey,
}

impl Setting for RateLimit {
    const WANTED: &'static str = "{ requests = 100, per = \"1m\", by = \"ip\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let (requests, per, by) = (table.required("requests"), table.required("per"), table.required("by"));
        table.finish();
        Some(Self { requests: requests?, per: per?, by: by? })
    }

    fn show(&self) -> Shown {
        Shown::Table(vec![
            Entry::new("requests", self.requests.show()),
            Entry::new("per", self.per.show()),
            Entry::new("by", self.by.show()),
        ])
    }
}

/// What a rate is counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateKey {
    /// The subject of a token.
    Subject,
    /// The client's address.
    Ip,
    /// The API key.
    ApiKey,
    /// The value of that header.
    Header(HeaderName),
}

impl FromStr for RateKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "subject" => Ok(Self::Subject),
            "ip" => Ok(Self::Ip),
            "api-key" => Ok(Self::ApiKey),
            other => {
                let wanted = <Self as TextSetting>::WANTED;
                let unknown = || Invalid::new(format!("\"{other}\" is not known"), format!("write {wanted}"));
                other.strip_prefix("header:").ok_or_else(unknown)?.parse().map(Self::Header)
            }
        }
    }
}

impl fmt::Display for RateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject => f.write_str("subject"),
            Self::Ip => f.write_str("ip"),
            Self::ApiKey => f.write_str("api-key"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl TextSetting for RateKey {
    const WANTED: &'static str = "\"subject\", \"ip\", \"api-key\" or \"header:<name>\"";
}

/// Which pages of other origins may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// At least one.
    pub origins: Vec<Origin>,
}

impl Setting for Cors {
    const WANTED: &'static str = "{ origins = [\"https://shop.example\"] }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let origins = table.required_item("origins", "[\"https://shop.example\"]");
        table.finish();
        let origins = origins?;
        if origins.is_empty_array() {
            origins.wrong("no origin is named", format!("write {}", Self::WANTED));
        }
        Some(Self { origins: Vec::read(&origins)? })
    }

    fn show(&self) -> Shown {
        Shown::Table(vec![Entry::new("origins", self.origins.show())])
    }
}

/// An origin (RFC 6454), or `*` for every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// As it stands in an `Origin` header; `*` for every one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let origin = Url::parse(text).map(|url| url.origin().ascii_serialization());
        if text == "*" || origin.as_deref() == Ok(text) {
            return Ok(Self(text.to_owned()));
        }
        let message = format!("\"{text}\" is not an origin");
        Err(Invalid::new(message, format!("write {}, without a path", <Self as TextSetting>::WANTED)))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TextSetting for Origin {
    const WANTED: &'static str = "an origin such as \"https://shop.example\", or \"*\"";
}

/// How answers are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// How long.
    pub ttl: Duration,
    /// Headers of the request that make for another answer.
    pub vary: Vec<HeaderName>,
}

impl Setting for Cache {
    const WANTED: &'static str = "{ ttl = \"30s\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let (ttl, vary) = (table.required("ttl"), table.or("vary", Vec::new()));
        table.finish();
        Some(Self { ttl: ttl?, vary })
    }

    fn show(&self) -> Shown {
        Shown::Table(vec![Entry::new("ttl", self.ttl.show()), Entry::defaulted("vary", &self.vary, &Vec::new())])
    }
}

/// Report what does not fit together.
pub(crate) fn check_policy(item: &Item<'_>, policy: &RoutePolicy) {
    let knows_scopes = matches!(policy.auth, Auth::Jwt | Auth::ApiKey);
    if !policy.scopes.is_empty() && !knows_scopes {
        let auth = policy.auth;
        item.wrong(format!("scopes are asked for, and auth is \"{auth}\""), "set auth = \"jwt\" or \"api-key\"");
    }
    let by = policy.rate_limit.as_ref().map(|limit| &limit.by);
    if by == Some(&RateKey::Subject) && !matches!(policy.auth, Auth::Jwt | Auth::Mtls) {
        let remedy = "set auth = \"jwt\" or \"mtls\", or count by \"ip\"";
        item.wrong("rate-limit.by = \"subject\" knows no subject", remedy);
    }
    if by == Some(&RateKey::ApiKey) && policy.auth != Auth::ApiKey {
        item.wrong("rate-limit.by = \"api-key\" knows no key", "set auth = \"api-key\", or count by \"ip\"");
    }
}
