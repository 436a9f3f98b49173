//! The admin interface's connections: so many at once, and where all places are taken the oldest that asks for nothing
//! makes room. Otherwise whoever only holds connections would keep others from asking whether the host is well.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hull_dispatch::{Body, BodyError};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// Those that are open, the oldest first.
pub(super) struct Connections {
    places: Arc<Semaphore>,
    open: VecDeque<Open>,
}

struct Open {
    requests: Requests,
    task: AbortHandle,
}

impl Connections {
    pub(super) fn new(connections_max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(connections_max)), open: VecDeque::new() }
    }

    /// Serve one more, as soon as there is room.
    pub(super) async fn serve<F>(&mut self, serve: impl FnOnce(Requests) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.open.retain(|open| !open.task.is_finished());
        if self.places.available_permits() == 0
            && let Some(idle) = self.open.iter().find(|open| open.requests.under_way() == 0)
        {
            idle.task.abort();
        }
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        let requests = Requests::default();
        let serving = serve(requests.clone());
        let task = tokio::spawn(async move {
            serving.await;
            drop(place);
        });
        self.open.push_back(Open { requests, task: task.abort_handle() });
    }
}

/// How many requests of a connection are under way.
#[derive(Clone, Default)]
pub(super) struct Requests(Arc<AtomicUsize>);

impl Requests {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    fn under_way(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request, until it is dropped.
pub(super) struct UnderWay(Requests);

impl UnderWay {
    /// The request is under way for as long as there is something to send.
    pub(super) fn until_sent(self, body: Body) -> Body {
        Sending { body, _request: self }.boxed_unsync()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Sending {
    body: Body,
    _request: UnderWay,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::Connections;

    #[tokio::test]
    async fn the_oldest_that_asks_for_nothing_makes_room() {
        let mut connections = Connections::new(3);
        let mut ended = Vec::new();
        for is_asking in [true, false, false, false] {
            let (tell, told) = oneshot::channel::<()>();
            let serve = |requests: super::Requests| async move {
                let _held = (tell, is_asking.then(|| requests.begin()));
                pending::<()>().await;
            };
            // The first of them counts as asking only once it has run.
            connections.serve(serve).await;
            tokio::task::yield_now().await;
            ended.push(told);
        }
        let has_ended: Vec<bool> =
            ended.iter_mut().map(|told| told.try_recv() == Err(oneshot::error::TryRecvError::Closed)).collect();
        assert_eq!(has_ended, [false, true, false, false]);
    }
}
