//! One timer for everything that can run late on a task: a connection, or a stream of an HTTP/2 connection. It is
//! armed lazily and moved only forward, so that a request which ends at once costs no timer at all. Whoever
//! returns `Pending` says by when it wants to be polled again; and because nobody polls a body while the client
//! does not read, the task as a whole also has a time after which it is given up.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hull_dispatch::Attendance;
use tokio::time::Sleep;

use crate::drain::Member;

/// How long after its deadline an answer may still be on its way out, so that a 504 can be written.
const GRACE: Duration = Duration::from_secs(1);
/// How often a task is polled again at once because of its timer, before others get their turn.
const POLLS_MAX: usize = 4;

#[derive(Clone, Copy, Default)]
struct Times {
    wake_by: Option<Instant>,
    answer_until: Option<Instant>,
}

thread_local! {
    static TIMES: Cell<Times> = const { Cell::new(Times { wake_by: None, answer_until: None }) };
}

/// Ask for another poll of the running task at that time, if nothing wakes it before. Holds until the task is
/// polled again, like a waker.
pub(crate) fn wake_by(at: Instant) {
    TIMES.with(|times| {
        let now = times.get();
        let earlier = now.wake_by.map_or(at, |other| other.min(at));
        times.set(Times { wake_by: Some(earlier), ..now });
    });
}

/// Give the running task up when it is still there well after that time. Holds until it is said otherwise.
pub(crate) fn answer_until(at: Option<Instant>) {
    TIMES.with(|times| times.set(Times { answer_until: at, ..times.get() }));
}

/// A task under watch.
pub(crate) struct Watched<F> {
    inner: Pin<Box<F>>,
    finish: fn(Pin<&mut F>),
    answer_until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    member: Member,
    told_to_finish: bool,
    attendance: Attendance,
}

impl<F: Future> Watched<F> {
    /// `finish` tells the task to finish what is running and to take nothing new.
    pub(crate) fn new(inner: F, member: Member, finish: fn(Pin<&mut F>)) -> Self {
        let (inner, attendance) = (Box::pin(inner), Attendance::default());
        Self { inner, finish, answer_until: None, timer: None, member, told_to_finish: false, attendance }
    }

    /// Whether the time has come. If not, this task is woken then.
    fn poll_timer(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
        if timer.deadline() > at.into() {
            timer.as_mut().reset(at.into());
        }
        while timer.as_mut().poll(cx).is_ready() {
            if hull_clock::now() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at.into());
        }
        Poll::Pending
    }
}

/// `None` if the task was given up.
impl<F: Future> Future for Watched<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.member.register(cx);
        if this.member.is_killed() {
            return Poll::Ready(None);
        }
        if !this.told_to_finish && this.member.is_draining() {
            this.told_to_finish = true;
            (this.finish)(this.inner.as_mut());
        }
        for _ in 0..POLLS_MAX {
            TIMES.set(Times { wake_by: None, answer_until: this.answer_until });
            let polled = this.attendance.charge(|| this.inner.as_mut().poll(cx));
            let times = TIMES.take();
            if let Poll::Ready(output) = polled {
                return Poll::Ready(Some(output));
            }
            this.answer_until = times.answer_until;
            let give_up_at = times.answer_until.map(|until| until + GRACE);
            let Some(at) = times.wake_by.into_iter().chain(give_up_at).min() else { return Poll::Pending };
            if this.poll_timer(at, cx).is_pending() {
                return Poll::Pending;
            }
            if give_up_at.is_some_and(|give_up_at| give_up_at <= at) {
                tracing::debug!("given up: the client does not take the answer");
                return Poll::Ready(None);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Nothing until then.
pub(crate) async fn wait_until(at: Instant) {
    poll_fn(|_| {
        if hull_clock::now() >= at {
            return Poll::Ready(());
        }
        wake_by(at);
        Poll::Pending
    })
    .await;
}

/// A future that ends at a deadline, with `None`. It costs nothing if it is ready at once.
pub(crate) struct Until<F> {
    pub(crate) future: F,
    pub(crate) deadline: Instant,
}

impl<F: Future + Unpin> Future for Until<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.get_mut();
        if let Poll::Ready(output) = Pin::new(&mut this.future).poll(cx) {
            return Poll::Ready(Some(output));
        }
        if hull_clock::now() >= this.deadline {
            return Poll::Ready(None);
        }
        wake_by(this.deadline);
        Poll::Pending
    }
}
