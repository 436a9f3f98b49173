//! The bytes of an answer: no more than are taken, and no longer than is waited for.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::failed::Why;

/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A body that is read piece by piece.
pub(crate) struct Coming {
    body: Incoming,
    what: String,
    left: u64,
    bytes_max: u64,
}

impl Coming {
    /// What comes of `what`; more than `bytes_max` is an error, at once where the answer says so itself.
    pub(crate) fn of(answer: Response<Incoming>, what: &str, bytes_max: u64) -> Result<Self, Why> {
        let body = answer.into_body();
        if body.size_hint().lower() > bytes_max {
            return Err(Why::TooLarge { what: what.to_owned(), bytes_max });
        }
        Ok(Self { body, what: what.to_owned(), left: bytes_max, bytes_max })
    }

    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Why> {
        let what = &self.what;
        loop {
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame()).await;
            let frame = frame.map_err(|_| Why::BrokeOff(format!("nothing more of {what} came for {SILENCE_MAX:?}")))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| Why::BrokeOff(format!("{what} broke off: {error}")))?;
            let Ok(piece) = frame.into_data() else { continue };
            if piece.is_empty() {
                continue;
            }
            let too_large = || Why::TooLarge { what: what.clone(), bytes_max: self.bytes_max };
            self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(too_large)?;
            return Ok(Some(piece));
        }
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Vec<u8>, Why> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}
