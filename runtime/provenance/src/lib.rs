//! Where components come from: who has signed them, and how they are brought here from a URL or a registry. Knows neither
//! hosts nor revisions. Whoever deploys fetches; a host is given bytes, and only asks whose they are.

mod body;
mod cache;
mod failed;
mod fetch;
mod follow;
mod keys;
mod reference;
mod registry;
mod signature;
mod signing_key;
mod transport;

pub use failed::{FetchFailed, Why};
pub use fetch::{Fetched, Fetcher, Remote};
pub use keys::{NotSigned, TrustedKeys};
pub use reference::{NoReference, OciReference, Reference};
pub use signature::{NoSignature, SIGNATURE_EXTENSION, Signature, UnreadableSignature};
pub use signing_key::{KeyError, SigningKey};
