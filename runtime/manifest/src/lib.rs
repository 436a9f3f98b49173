//! Manifests: spin.toml and hull.toml, parsed into the types everything else uses. Pure: the caller brings the
//! text, the values of variables and, if files are to be checked, somebody who can look at them.

mod application;
mod bulkhead;
mod calls;
mod component;
mod effective;
mod files;
mod header_name;
mod host;
mod limits;
mod name;
mod outbound;
mod policies;
mod problem;
mod read;
mod route;
mod server_url;
mod source;
mod split;
mod subjects;
mod template;
mod trigger;
mod units;
mod variables;

pub use application::{App, Forwarded, HostSent, Reading, Upstream, UpstreamSettings};
pub use bulkhead::{Bulkhead, Queue};
pub use calls::{Breaker, CallPolicy, Fallback, Retries};
pub use component::{Build, Component, ComponentSettings, FileMount, Health, HealthPath, Reuse};
pub use effective::{Entry, Shown, effective_app, effective_host, effective_toml};
pub use files::{FileKind, Files};
pub use header_name::HeaderName;
pub use host::{
    Admin, AdminAddress, Bus, BusBackend, Host, HostLimits, Identity, Jwks, Jwt, ListenAddress, LogFormat, PublicKey,
    Secrets, Signatures, Storage, Telemetry, Tls,
};
pub use limits::{Limits, MessageLimits, OutboundLimits, Reserve, StatementLimits};
pub use name::{NAME_BYTES_MAX, Name, VariableName};
pub use outbound::{HostPattern, OutboundGrant, OutboundHost, Ports, Scheme};
pub use policies::{Auth, Cache, Cors, Method, Origin, RateKey, RateLimit, RoutePolicy};
pub use problem::{Invalid, PROBLEMS_SHOWN_MAX, Problem, Problems};
pub use route::{ROUTE_BYTES_MAX, Route, Segment};
pub use server_url::{HttpUrl, SecretUrl};
pub use source::{Digest, DownloadUrl, PackageName, PackageVersion, RegistryHost, Source, is_loopback};
pub use split::{RouteSplit, StickyBy};
pub use subjects::{SUBJECT_BYTES_MAX, SubjectPattern, check_subject};
pub use template::{Part, Template};
pub use trigger::{Delivery, HttpTarget, HttpTrigger, MessagingTrigger, Start, StaticResponse, TriggerRoute};
pub use units::{BackoffRange, ByteRate, ByteSize, DURATION_MAX, Percent, Rate, format_duration, parse_duration};
pub use variables::{Values, Variable};
