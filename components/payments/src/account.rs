//! An order's account: how a charge and a cancellation meet. Pure: whichever comes first, a cancelled order ends
//! without the customer's money.

/// What has been charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing yet: only the cancellation was heard of.
    Awaited,
    /// The money is here.
    Charged,
    /// The provider said no.
    Declined,
    /// The money went back.
    Refunded,
}

/// What is known of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// What has been charged.
    pub(crate) status: Status,
    /// Whether the order is cancelled.
    pub(crate) cancelled: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Keep the account like this.
    Keep(Account),
    /// Keep the account like this, and have the charge refunded.
    Refund(Account),
    /// Keep the account like this, and find out later whether an attempt has charged that never got its answer.
    Settle(Account),
    /// It was done before.
    Nothing,
}

/// The provider has charged or declined.
pub(crate) fn on_verdict(account: Option<Account>, status: Status) -> Step {
    match account {
        None => Step::Keep(Account { status, cancelled: false }),
        Some(Account { status: Status::Awaited, cancelled }) => {
            let next = Account { status, cancelled };
            if cancelled && status == Status::Charged { Step::Refund(next) } else { Step::Keep(next) }
        }
        Some(_) => Step::Nothing,
    }
}

/// The order is cancelled.
pub(crate) fn on_cancelled(account: Option<Account>) -> Step {
    match account {
        None => Step::Settle(Account { status: Status::Awaited, cancelled: true }),
        Some(Account { cancelled: true, .. }) => Step::Nothing,
        Some(Account { status: Status::Charged, .. }) => {
            Step::Refund(Account { status: Status::Charged, cancelled: true })
        }
        Some(Account { status: Status::Awaited, .. }) => {
            Step::Settle(Account { status: Status::Awaited, cancelled: true })
        }
        Some(Account { status, .. }) => Step::Keep(Account { status, cancelled: true }),
    }
}

/// The provider has given the money back.
pub(crate) fn on_refunded(account: Option<Account>) -> Step {
    match account {
        Some(Account { status: Status::Charged, cancelled }) => {
            Step::Keep(Account { status: Status::Refunded, cancelled })
        }
        _ => Step::Nothing,
    }
}

impl Status {
    /// As it is stored and shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Charged => "charged",
            Self::Declined => "declined",
            Self::Refunded => "refunded",
        }
    }

    /// From how it is stored.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Awaited, Self::Charged, Self::Declined, Self::Refunded].into_iter().find(|s| s.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type On = fn(Option<Account>) -> Step;

    fn charged(account: Option<Account>) -> Step {
        on_verdict(account, Status::Charged)
    }

    fn declined(account: Option<Account>) -> Step {
        on_verdict(account, Status::Declined)
    }

    /// Runs events in an order; refunds are carried out when all else has happened. Gives the status and how many
    /// refunds were asked for.
    fn run(events: &[On]) -> (Option<Status>, usize) {
        let (mut account, mut refunds) = (None, 0);
        for event in events {
            match event(account) {
                Step::Keep(next) | Step::Settle(next) => account = Some(next),
                Step::Refund(next) => {
                    account = Some(next);
                    refunds += 1;
                }
                Step::Nothing => {}
            }
        }
        for _ in 0..refunds {
            if let Step::Keep(next) = on_refunded(account) {
                account = Some(next);
            }
        }
        (account.map(|a| a.status), refunds)
    }

    #[test]
    fn a_cancelled_order_ends_refunded_whichever_comes_first() {
        assert_eq!(run(&[charged, on_cancelled]), (Some(Status::Refunded), 1));
        assert_eq!(run(&[on_cancelled, charged]), (Some(Status::Refunded), 1));
        assert_eq!(run(&[on_cancelled, charged, on_cancelled, charged]), (Some(Status::Refunded), 1));
    }

    #[test]
    fn what_was_not_charged_is_not_refunded() {
        assert_eq!(run(&[declined, on_cancelled]), (Some(Status::Declined), 0));
        assert_eq!(run(&[on_cancelled, declined]), (Some(Status::Declined), 0));
        assert_eq!(run(&[on_cancelled]), (Some(Status::Awaited), 0));
    }

    #[test]
    fn a_cancellation_without_a_verdict_is_looked_into_once() {
        assert!(matches!(on_cancelled(None), Step::Settle(_)));
        assert_eq!(on_cancelled(Some(Account { status: Status::Awaited, cancelled: true })), Step::Nothing);
        let declined = on_cancelled(Some(Account { status: Status::Declined, cancelled: false }));
        assert_eq!(declined, Step::Keep(Account { status: Status::Declined, cancelled: true }));
    }

    #[test]
    fn a_charge_stays_where_nothing_is_cancelled() {
        assert_eq!(run(&[charged, charged]), (Some(Status::Charged), 0));
    }

    #[test]
    fn statuses_are_read_as_they_are_stored() {
        assert_eq!(Status::named("refunded"), Some(Status::Refunded));
        assert_eq!(Status::named("lost"), None);
    }
}
