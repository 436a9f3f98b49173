//! Which events a component is handling at this moment, so that two deliveries of one event never run at once.

use std::collections::HashSet;
use std::sync::Arc;

use hull_invocation::EventKey;
use parking_lot::Mutex;

/// The keys of the events that are being handled; as many as the component has slots, and replays.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    keys: Mutex<HashSet<EventKey>>,
}

/// Holds a key until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    owner: Arc<InFlight>,
    key: EventKey,
}

impl InFlight {
    /// Begin to handle an event; `None` if somebody is at it.
    pub(crate) fn enter(self: &Arc<Self>, key: &EventKey) -> Option<Held> {
        let entered = self.keys.lock().insert(key.clone());
        entered.then(|| Held { owner: Arc::clone(self), key: key.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.owner.keys.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hull_invocation::EventKey;

    use super::InFlight;

    #[test]
    fn a_key_is_held_once_at_a_time() {
        let in_flight = Arc::new(InFlight::default());
        let key = |id: &str| EventKey { source: "/shop/orders".into(), id: id.into() };
        let held = in_flight.enter(&key("1")).expect("free");
        assert!(in_flight.enter(&key("1")).is_none());
        assert!(in_flight.enter(&key("2")).is_some());
        drop(held);
        assert!(in_flight.enter(&key("1")).is_some());
    }
}
