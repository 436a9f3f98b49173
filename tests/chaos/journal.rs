//! What the load has asked for and was told: the other side of every promise, kept where no fault reaches it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An order as a customer asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The card that it is to be paid with.
    pub(crate) token: &'static str,
    /// The order that was answered 202, once it was.
    pub(crate) order: Option<String>,
}

/// What was asked and answered so far.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// By idempotency key.
    pub(crate) orders: BTreeMap<String, Asked>,
    /// What clerks were told is written, by its id.
    pub(crate) written: BTreeSet<String>,
    /// How often which status was answered; 0 stands for a connection that broke.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// What should not have been answered.
    pub(crate) flaws: Vec<String>,
}

/// The notes of all who ask at the same time.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Notes>);

impl Journal {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before an order is asked for the first time.
    pub(crate) fn asking(&self, key: &str, token: &'static str) {
        self.notes().orders.insert(key.to_owned(), Asked { token, order: None });
    }

    /// An order was accepted under that key.
    pub(crate) fn accepted(&self, key: &str, order: &str) {
        let mut notes = self.notes();
        let Some(asked) = notes.orders.get_mut(key) else { return };
        let before = asked.order.replace(order.to_owned());
        if let Some(before) = before.filter(|before| before != order) {
            notes.flaws.push(format!("key {key} was answered with order {before} and with order {order}"));
        }
    }

    /// A clerk was told that this is written.
    pub(crate) fn written(&self, id: &str) {
        self.notes().written.insert(id.to_owned());
    }

    /// An answer came, or broke off.
    pub(crate) fn answered(&self, status: u16) {
        *self.notes().statuses.entry(status).or_default() += 1;
    }

    /// Something that should not be.
    pub(crate) fn flaw(&self, told: String) {
        self.notes().flaws.push(told);
    }

    /// Everything, once nobody asks any more.
    pub(crate) fn into_notes(self) -> Notes {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
