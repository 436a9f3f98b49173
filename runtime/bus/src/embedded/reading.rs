//! Reading a stream without a consumer: a bounded piece of it at a time, off the serving threads.

use std::sync::Arc;

use hull_manifest::SubjectPattern;

use super::stream::Shared;
use crate::error::BusError;
use crate::page::{PAGE_BYTES_MAX, PAGE_EVENTS_MAX, Page, ReadFrom, StoredEvent};

/// How many events are looked at for one page: where only few are wanted, a page may be empty and not the last.
const LOOKED_AT_MAX: u64 = 50_000;

impl Shared {
    /// See [`crate::Bus::read`].
    pub(super) async fn read(
        self: &Arc<Self>,
        pattern: &SubjectPattern,
        from: ReadFrom,
        max: usize,
    ) -> Result<Page, BusError> {
        let (shared, pattern) = (Arc::clone(self), pattern.clone());
        let read = hull_threads::blocking(move || shared.page(&pattern, from, max.clamp(1, PAGE_EVENTS_MAX)));
        read.await.unwrap_or_else(|_| Err(self.unavailable("reading its files was interrupted")))
    }

    fn page(&self, pattern: &SubjectPattern, from: ReadFrom, max: usize) -> Result<Page, BusError> {
        let (wanted, mut next, last) = {
            let index = self.index.read();
            let last = index.last();
            let begin = match from {
                ReadFrom::Sequence(sequence) => sequence.max(index.first()),
                ReadFrom::End => last.saturating_add(1),
            };
            let (mut wanted, mut next) = (Vec::new(), begin);
            while next <= last && next - begin < LOOKED_AT_MAX && wanted.len() < max {
                if index.subject(next).is_some_and(|subject| pattern.matches(subject)) {
                    wanted.push(next);
                }
                next += 1;
            }
            (wanted, next, last)
        };
        let (mut events, mut bytes) = (Vec::with_capacity(wanted.len()), 0);
        for sequence in wanted {
            // The stream may have dropped it meanwhile.
            let Some(stored) = self.load_blocking(sequence)? else { continue };
            bytes += stored.event.payload.len();
            if bytes > PAGE_BYTES_MAX && !events.is_empty() {
                next = sequence;
                break;
            }
            events.push(StoredEvent { sequence, published_ms: stored.time_ms, event: stored.event.clone() });
        }
        Ok(Page { events, next, is_last: next > last })
    }
}
