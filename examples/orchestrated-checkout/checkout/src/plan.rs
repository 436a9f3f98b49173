//! The steps of a checkout, in their order, and what can be done about each. This table is the saga; all the rest
//! carries it out and can stay as it is when the table changes.

/// What can become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may be refused, and it can be undone by this command.
    Compensatable {
        /// The command that undoes it.
        undo: &'static str,
    },
    /// It may be refused. Once it is done there is no way back: everything after it will be done.
    Pivot,
    /// It comes after the pivot, so it is tried until it is done.
    Retriable,
}

/// A command, and what can become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The subject that the command is published on.
    pub(crate) command: &'static str,
    /// See [`Kind`].
    pub(crate) kind: Kind,
}

/// First what can be undone, then what decides, then what will work in the end.
pub(crate) const STEPS: [Step; 5] = [
    Step { command: "stock.reserve", kind: Kind::Compensatable { undo: "stock.release" } },
    Step { command: "courier.book", kind: Kind::Compensatable { undo: "courier.cancel" } },
    Step { command: "payments.charge", kind: Kind::Pivot },
    Step { command: "stock.pick", kind: Kind::Retriable },
    Step { command: "courier.dispatch", kind: Kind::Retriable },
];
