//! The places for requests to the outside: so many at once, for all versions of a component together, and another number
//! once a deployment says so.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// See the module.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    count: Mutex<Count>,
}

#[derive(Debug)]
struct Count {
    limit: usize,
    /// Places that are taken away as soon as they are given back.
    owed: usize,
}

/// One of them; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    places: Arc<Places>,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(limit)), count: Mutex::new(Count { limit, owed: 0 }) }
    }

    /// Another number. Those that are taken stay so.
    pub(crate) fn set(&self, limit: usize) {
        let mut count = self.count.lock();
        let more = limit.saturating_sub(count.limit);
        let kept = more.min(count.owed);
        count.owed -= kept;
        self.free.add_permits(more - kept);
        let fewer = count.limit.saturating_sub(limit);
        count.owed += fewer - self.free.forget_permits(fewer);
        count.limit = limit;
    }

    pub(crate) fn in_use(&self) -> usize {
        let count = self.count.lock();
        (count.limit + count.owed).saturating_sub(self.free.available_permits())
    }

    /// Wait for one. Nothing closes the semaphore.
    pub(crate) async fn enter(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Place { permit: Some(permit), places: Arc::clone(self) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = self.places.count.lock();
        if let Some(permit) = self.permit.take()
            && count.owed > 0
        {
            count.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::{Place, Places};

    fn taken(places: &Arc<Places>) -> Option<Place> {
        match pin!(places.enter()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => place,
            Poll::Pending => None,
        }
    }

    #[test]
    fn fewer_places_are_fewer_once_they_are_given_back() {
        let places = Arc::new(Places::new(3));
        let mut held: Vec<_> = (0..3).map_while(|_| taken(&places)).collect();
        assert_eq!((held.len(), places.in_use(), taken(&places).is_none()), (3, 3, true));
        places.set(1);
        assert_eq!(places.in_use(), 3);
        held.truncate(1);
        assert!(taken(&places).is_none(), "one is still taken, and that is as many as there are");
        held.clear();
        let one = taken(&places);
        assert!(one.is_some() && taken(&places).is_none());
        assert_eq!(places.in_use(), 1);
    }

    #[test]
    fn more_places_are_there_at_once_and_what_was_owed_is_forgotten() {
        let places = Arc::new(Places::new(2));
        let held: Vec<_> = (0..2).map_while(|_| taken(&places)).collect();
        places.set(1);
        places.set(4);
        let more: Vec<_> = (0..4).map_while(|_| taken(&places)).collect();
        assert_eq!((held.len(), more.len(), places.in_use()), (2, 2, 4));
        drop((held, more));
        assert_eq!(places.in_use(), 0);
        assert_eq!((0..9).map_while(|_| taken(&places)).collect::<Vec<_>>().len(), 4);
    }
}
