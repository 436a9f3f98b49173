//! How far a component's tasks have been told to stop.

use tokio::sync::watch;

/// From working to gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// As usual.
    Working,
    /// Finish what runs, begin nothing.
    Draining,
    /// Give up what runs.
    Cancelled,
}

/// A task's view of it.
#[derive(Debug, Clone)]
pub(crate) struct Phases(watch::Receiver<Phase>);

impl Phases {
    /// The two ends.
    pub(crate) fn new() -> (watch::Sender<Phase>, Self) {
        let (sender, receiver) = watch::channel(Phase::Working);
        (sender, Self(receiver))
    }

    /// Until it has come to `phase`, or nobody is there any more to say so.
    pub(crate) async fn reached(&self, phase: Phase) {
        // An error means that the sender is gone, and with it the component.
        let _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }

    /// Whether it has, or nobody is there any more to say so.
    pub(crate) fn is(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase || self.0.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::{Phase, Phases};

    #[tokio::test]
    async fn phases_only_go_forward_and_end_with_whoever_says_them() {
        let (sender, phases) = Phases::new();
        assert!(phases.is(Phase::Working) && !phases.is(Phase::Draining));
        sender.send_replace(Phase::Draining);
        phases.reached(Phase::Draining).await;
        assert!(phases.is(Phase::Draining) && !phases.is(Phase::Cancelled));
        drop(sender);
        phases.reached(Phase::Cancelled).await;
        assert!(phases.is(Phase::Cancelled));
    }
}
