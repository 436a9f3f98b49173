//! The life of a reservation. Pure: events may come twice or in any order, and every order of them ends alike.

/// What has become of an order's reservation so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Set aside for the order.
    Held,
    /// There was too little of something.
    Refused,
    /// Sold.
    Committed,
    /// Given back, or never to be set aside.
    Released,
}

/// What an event asks of the stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Set aside, if there is enough of everything.
    Reserve,
    /// Move from reserved to sold.
    Commit,
    /// Move from reserved back to available.
    Release,
    /// Remember that the order is over, before it was heard of.
    Remember,
    /// It has been done, or there is nothing to do.
    Nothing,
    /// This cannot be: somebody has to look.
    Contradiction,
}

/// `orders.created`.
pub(crate) fn on_created(state: Option<State>) -> Step {
    if state.is_none() { Step::Reserve } else { Step::Nothing }
}

/// `orders.confirmed`: it was held, or it would not have been charged.
pub(crate) fn on_confirmed(state: Option<State>) -> Step {
    match state {
        Some(State::Held) => Step::Commit,
        Some(State::Committed) => Step::Nothing,
        None | Some(State::Refused | State::Released) => Step::Contradiction,
    }
}

/// `orders.cancelled`: it may overtake `orders.created`.
pub(crate) fn on_cancelled(state: Option<State>) -> Step {
    match state {
        None => Step::Remember,
        Some(State::Held) => Step::Release,
        Some(State::Refused | State::Released) => Step::Nothing,
        Some(State::Committed) => Step::Contradiction,
    }
}

impl State {
    /// As it is stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Committed => "committed",
            Self::Released => "released",
        }
    }

    /// From how it is stored.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Held, Self::Refused, Self::Committed, Self::Released].into_iter().find(|state| state.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs events in an order, with so much stock, and gives (available, reserved, sold) of one product.
    fn run(events: &[fn(Option<State>) -> Step], stock: i64) -> (i64, i64, i64) {
        let (mut available, mut reserved, mut sold) = (stock, 0, 0);
        let mut state = None;
        for event in events {
            match event(state) {
                Step::Reserve if available > 0 => {
                    (available, reserved, state) = (available - 1, reserved + 1, Some(State::Held));
                }
                Step::Reserve => state = Some(State::Refused),
                Step::Commit => (reserved, sold, state) = (reserved - 1, sold + 1, Some(State::Committed)),
                Step::Release => (reserved, available, state) = (reserved - 1, available + 1, Some(State::Released)),
                Step::Remember => state = Some(State::Released),
                Step::Nothing => {}
                Step::Contradiction => panic!("cannot be"),
            }
        }
        (available, reserved, sold)
    }

    #[test]
    fn sells_once_however_often_it_is_told() {
        let told = [on_created, on_created, on_confirmed, on_created, on_confirmed];
        assert_eq!(run(&told, 2), (1, 0, 1));
    }

    #[test]
    fn gives_back_in_whatever_order_it_is_told() {
        assert_eq!(run(&[on_created, on_cancelled, on_cancelled], 2), (2, 0, 0));
        assert_eq!(run(&[on_cancelled, on_created, on_cancelled], 2), (2, 0, 0));
        assert_eq!(run(&[on_created, on_cancelled], 0), (0, 0, 0));
    }

    #[test]
    fn sees_what_cannot_be() {
        assert_eq!(on_confirmed(Some(State::Released)), Step::Contradiction);
        assert_eq!(on_cancelled(Some(State::Committed)), Step::Contradiction);
    }

    #[test]
    fn states_are_read_as_they_are_stored() {
        assert_eq!(State::named("held"), Some(State::Held));
        assert_eq!(State::named("released"), Some(State::Released));
        assert_eq!(State::named("lost"), None);
    }
}
