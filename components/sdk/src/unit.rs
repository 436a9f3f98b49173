//! Units of work: key-value, SQL and published events that happen together or not at all.

use crate::bindings::hull::transactions::transactions::Transaction;
use crate::error::{Error, Result};
use crate::messaging::{self, Message};

/// How often a unit is run that others got in the way of.
const ATTEMPTS_MAX: u32 = 5;

/// Proof that a unit of work is open: what has to happen inside one asks for it.
#[derive(Debug)]
pub struct Unit {
    _opened_here: (),
}

impl Unit {
    pub(crate) fn opened() -> Self {
        Self { _opened_here: () }
    }

    /// Publish an event when the unit commits, and not at all otherwise; the result is its id.
    pub fn publish(&self, message: &Message) -> Result<String> {
        messaging::publish(message)
    }
}

/// Run `work` as one unit of work. A conflict runs all of it again; any other error undoes it. Calls to others
/// belong before it: the writer is held from the first statement to the end.
pub fn transaction<T>(mut work: impl FnMut(&Unit) -> Result<T>) -> Result<T> {
    for _ in 0..ATTEMPTS_MAX {
        match attempt(&mut work) {
            Err(Error::Conflict) => {}
            done => return done,
        }
    }
    Err(Error::Conflict)
}

fn attempt<T>(work: &mut impl FnMut(&Unit) -> Result<T>) -> Result<T> {
    let transaction = Transaction::begin()?;
    match work(&Unit::opened()) {
        Ok(done) => {
            Transaction::commit(transaction)?;
            Ok(done)
        }
        Err(error) => {
            // The first error is the one to tell; a unit that cannot be rolled back is gone anyway.
            let _ = Transaction::rollback(transaction);
            Err(error)
        }
    }
}
