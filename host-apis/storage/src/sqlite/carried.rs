//! An event's handler, carried by the writer while its unit of work has the database. Between two statements the writer
//! would wait for another thread to run the handler, and that one for the writer: two wake-ups, each of which costs more
//! than many a handler. Nobody else can use the writer meanwhile, so it polls the handler itself. Before the unit and after
//! it, and wherever the writer finds it in other hands, whoever waits for the handler polls it.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::unit::Command;

/// See the module. Dropping it ends the handler, at once or after the slice that runs.
pub(crate) struct Carried<T: Send + 'static>(Arc<Seat<T>>);

/// What the writer knows of a handler.
pub(super) trait Ride: Send + Sync {
    /// From now on this thread polls it; `bell` tells of its wakes on other threads.
    fn board(&self, bell: SyncSender<Command>);
    /// Poll it, if it was woken; whether it is to be polled again.
    fn go(self: Arc<Self>) -> bool;
    /// Whoever waits for it polls it again.
    fn leave(&self);
}

/// A ride for as long as its unit is served.
pub(super) struct Boarded<'a>(&'a Arc<dyn Ride>);

struct Seat<T> {
    /// None once it has ended, or nobody waits for it.
    future: Mutex<Option<Handling<T>>>,
    road: Mutex<Road<T>>,
    runtime: Handle,
}

type Handling<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// As it ended: panics are those of whoever waits for it.
type End<T> = Result<T, Box<dyn Any + Send>>;

struct Road<T> {
    /// Who waits for it.
    home: Option<Waker>,
    carrier: Option<Carrier>,
    ended: Option<End<T>>,
    /// Nobody waits for it any more.
    left: bool,
}

struct Carrier {
    thread: ThreadId,
    bell: SyncSender<Command>,
    woken: bool,
}

thread_local! {
    /// The handler that is polled on this thread.
    static RIDING: RefCell<Option<Arc<dyn Ride>>> = const { RefCell::new(None) };
}

/// The handler that is polled on this thread, for its unit of work.
pub(super) fn riding() -> Option<Arc<dyn Ride>> {
    RIDING.with_borrow(Clone::clone)
}

impl<T: Send + 'static> Carried<T> {
    /// To be made, and waited for, within a runtime.
    pub(crate) fn new(handling: impl Future<Output = T> + Send + 'static) -> Self {
        let road = Road { home: None, carrier: None, ended: None, left: false };
        let future: Handling<T> = Box::pin(handling);
        Self(Arc::new(Seat { future: Mutex::new(Some(future)), road: Mutex::new(road), runtime: Handle::current() }))
    }
}

impl<T: Send + 'static> Future for Carried<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let seat = &self.0;
        {
            let mut road = seat.road.lock();
            if let Some(ended) = road.ended.take() {
                return Poll::Ready(ended.unwrap_or_else(|panic| resume_unwind(panic)));
            }
            if !road.home.as_ref().is_some_and(|home| home.will_wake(cx.waker())) {
                road.home = Some(cx.waker().clone());
            }
            if road.carrier.is_some() {
                return Poll::Pending;
            }
        }
        // If the writer was faster it polls it now, and whatever this poll was for is seen there.
        let Some(mut future) = seat.future.try_lock() else { return Poll::Pending };
        let polled = seat.poll(&mut future);
        drop(future);
        seat.road.lock().ring_if_woken();
        polled.map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<T: Send + 'static> Drop for Carried<T> {
    fn drop(&mut self) {
        let mut road = self.0.road.lock();
        road.left = true;
        road.home = None;
        drop(road);
        self.0.drop_left();
    }
}

impl<T: Send + 'static> Seat<T> {
    fn poll(self: &Arc<Self>, future: &mut Option<Handling<T>>) -> Poll<End<T>> {
        let Some(handling) = future else { return Poll::Pending };
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let outer = RIDING.replace(Some(Arc::<Self>::clone(self)));
        let polled = catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(&mut cx)));
        RIDING.set(outer);
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(ended)) => Ok(ended),
            Err(panic) => Err(panic),
        };
        *future = None;
        Poll::Ready(ended)
    }

    fn is_woken(&self) -> bool {
        self.road.lock().carrier.as_ref().is_some_and(|carrier| carrier.woken)
    }

    /// Of two who see that it was left, or one who polls it and one who leaves it, the last one drops it.
    fn drop_left(&self) {
        if self.road.lock().left
            && let Some(mut future) = self.future.try_lock()
        {
            let left = future.take();
            drop(future);
            drop(left);
        }
    }
}

impl<T> Road<T> {
    /// The writer found it in other hands, and waits.
    fn ring_if_woken(&self) {
        if let Some(carrier) = self.carrier.as_ref().filter(|carrier| carrier.woken) {
            carrier.ring();
        }
    }
}

impl Carrier {
    /// If there is no room for it, the writer has commands to look at, and looks at this too.
    fn ring(&self) {
        let _ = self.bell.try_send(Command::Go);
    }
}

impl<T: Send + 'static> Wake for Seat<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut road = self.road.lock();
        match &mut road.carrier {
            Some(carrier) => {
                let was_woken = std::mem::replace(&mut carrier.woken, true);
                if !was_woken && carrier.thread != std::thread::current().id() {
                    carrier.ring();
                }
            }
            None => {
                let home = road.home.clone();
                drop(road);
                wake(home);
            }
        }
    }
}

impl<T: Send + 'static> Ride for Seat<T> {
    fn board(&self, bell: SyncSender<Command>) {
        self.road.lock().carrier = Some(Carrier { thread: std::thread::current().id(), bell, woken: false });
    }

    fn go(self: Arc<Self>) -> bool {
        if !self.is_woken() {
            return false;
        }
        // Whoever waits for it may not be out of the poll yet that began the unit, and rings when it is.
        let Some(mut future) = self.future.try_lock() else { return false };
        if let Some(carrier) = &mut self.road.lock().carrier {
            carrier.woken = false;
        }
        let _runtime = self.runtime.enter();
        let polled = self.poll(&mut future);
        drop(future);
        if let Poll::Ready(ended) = polled {
            let mut road = self.road.lock();
            road.ended = Some(ended);
            let home = road.home.clone();
            drop(road);
            wake(home);
        }
        self.drop_left();
        self.is_woken()
    }

    fn leave(&self) {
        let mut road = self.road.lock();
        let was_woken = road.carrier.take().is_some_and(|carrier| carrier.woken);
        let home = road.home.clone().filter(|_| was_woken);
        drop(road);
        wake(home);
    }
}

impl<'a> Boarded<'a> {
    pub(super) fn on(ride: &'a Arc<dyn Ride>, bell: &SyncSender<Command>) -> Self {
        ride.board(bell.clone());
        Self(ride)
    }

    pub(super) fn go(&self) -> bool {
        Arc::clone(self.0).go()
    }
}

impl Drop for Boarded<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Not under the lock of the road: what is woken may be dropped then and there.
fn wake(home: Option<Waker>) {
    if let Some(home) = home {
        home.wake();
    }
}

#[cfg(test)]
#[path = "carried_tests.rs"]
mod tests;
