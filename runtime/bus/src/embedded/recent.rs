//! The newest events of a stream, in memory: whoever keeps up reads no files. Bounded, and for as long as somebody may
//! still want them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::stream::Stored;

/// How many bytes of payloads there are at most.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many events there are at most.
const LENGTH_MAX: usize = 16 * 1024;

/// Events in the order of their sequences, which need not be without gaps.
#[derive(Default)]
pub(super) struct Recent {
    events: VecDeque<Arc<Stored>>,
    bytes: usize,
}

impl Recent {
    /// Keep the next one, in place of the oldest where there are too many.
    pub(super) fn push(&mut self, stored: Arc<Stored>) {
        self.bytes += stored.event.payload.len();
        self.events.push_back(stored);
        while self.bytes > BYTES_MAX || self.events.len() > LENGTH_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.event.payload.len();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The event with this sequence, if it is here.
    pub(super) fn get(&self, sequence: u64) -> Option<&Arc<Stored>> {
        let place = self.events.binary_search_by_key(&sequence, |stored| stored.sequence).ok()?;
        self.events.get(place)
    }

    /// Nobody waits for an event up to here any more: give those out, to be dropped where nobody waits for that.
    pub(super) fn forget(&mut self, floor: u64) -> Vec<Arc<Stored>> {
        let needless = self.events.partition_point(|stored| stored.sequence <= floor);
        if needless == self.events.len() {
            self.bytes = 0;
            return std::mem::take(&mut self.events).into();
        }
        let needless: Vec<_> = self.events.drain(..needless).collect();
        self.bytes -= needless.iter().map(|stored| stored.event.payload.len()).sum::<usize>();
        needless
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use hull_invocation::{Event, EventKey};
    use hull_manifest::Start;

    use super::*;
    use crate::bus::{Bus as _, ConsumerSpec};
    use crate::embedded::{EmbeddedBus, EmbeddedOptions};

    const PATIENCE: Duration = Duration::from_secs(20);
    const LOOK: Duration = Duration::from_millis(5);

    fn of(sequence: u64, bytes: usize) -> Arc<Stored> {
        let event = Event {
            key: EventKey { source: "/shop/orders".into(), id: sequence.to_string() },
            subject: "a.b".into(),
            time: "2026-01-01T00:00:00.000Z".into(),
            headers: Vec::new(),
            payload: Bytes::from(vec![0; bytes]),
        };
        Arc::new(Stored { sequence, time_ms: 0, event })
    }

    fn spec(component: &str) -> ConsumerSpec {
        ConsumerSpec {
            app: "shop".into(),
            component: component.into(),
            pattern: "a.b".parse().expect("a pattern"),
            ack_wait: Duration::from_secs(30),
            ordered: false,
            start: Start::All,
            max_in_flight: 1000,
        }
    }

    fn held(recent: &Recent) -> (Vec<u64>, usize) {
        (recent.events.iter().map(|stored| stored.sequence).collect(), recent.bytes)
    }

    async fn until(holds: impl Fn() -> bool) {
        let looked = async {
            while !holds() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, looked).await.expect("forgotten in time");
    }

    #[test]
    fn the_oldest_make_way_by_number_and_by_bytes() {
        let mut recent = Recent::default();
        (1..=LENGTH_MAX as u64 + 3).for_each(|sequence| recent.push(of(sequence, 0)));
        assert_eq!((recent.get(3).is_none(), recent.get(4).is_some()), (true, true));
        let mut recent = Recent::default();
        (1..=3).for_each(|sequence| recent.push(of(sequence, BYTES_MAX / 2)));
        assert_eq!(held(&recent), (vec![2, 3], BYTES_MAX / 2 * 2));
        recent.push(of(4, BYTES_MAX + 1));
        assert_eq!(held(&recent), (vec![], 0), "one that is too large is not kept");
    }

    #[test]
    fn what_nobody_waits_for_is_forgotten() {
        let mut recent = Recent::default();
        [2, 3, 5, 8].into_iter().for_each(|sequence| recent.push(of(sequence, 10)));
        assert_eq!(recent.forget(1).len(), 0);
        assert_eq!(recent.forget(4).len(), 2);
        assert_eq!(held(&recent), (vec![5, 8], 20));
        assert_eq!((recent.get(3).is_none(), recent.get(5).map(|stored| stored.sequence)), (true, Some(5)));
        assert_eq!(recent.forget(u64::MAX).len(), 2);
        assert_eq!(held(&recent), (vec![], 0));
    }

    #[tokio::test]
    async fn an_event_is_in_memory_until_all_have_settled_it() {
        let directory = tempfile::tempdir().expect("a folder");
        let bus = EmbeddedBus::open(EmbeddedOptions::new(directory.path())).await.expect("opens");
        let mut quick = bus.consumer(spec("quick")).await.expect("opens");
        let mut slow = bus.consumer(spec("slow")).await.expect("opens");
        for sequence in 1..=4 {
            bus.publish("shop", &of(sequence, 10).event).await.expect("published");
        }
        let stream = bus.stream("shop").await.expect("is there");
        let in_memory = || held(&stream.shared.recent.lock()).0;

        for delivery in quick.fetch(10).await.expect("fetches") {
            delivery.ack().await.expect("settles");
        }
        let mut its = slow.fetch(10).await.expect("fetches").into_iter();
        for delivery in its.by_ref().take(2) {
            delivery.ack().await.expect("settles");
        }
        until(|| !in_memory().contains(&2)).await;
        assert_eq!(in_memory(), [3, 4], "one of them has not settled these");

        for delivery in its {
            delivery.ack().await.expect("settles");
        }
        until(|| in_memory().is_empty()).await;
    }
}
