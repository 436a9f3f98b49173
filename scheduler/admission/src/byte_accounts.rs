//! Who holds how many bytes of one total, such as the host's memory: a ceiling for each account, a part that is set
//! aside for it alone, and, when the total is short, whom to shed first. So the sum of all ceilings may be more than
//! there is, and still nobody is kept from what was set aside for them.

use std::collections::BTreeMap;

/// Names an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(u64);

/// What one account may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// At most.
    pub bytes_max: u64,
    /// To be set aside: there is always room for so much.
    pub reserve_bytes: u64,
}

/// Why bytes were not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BytesRefused {
    /// The account's own ceiling: so much is left below it.
    Account {
        /// Below the ceiling.
        left_bytes: u64,
    },
    /// The total. Who holds most beyond what is set aside for it, so that shedding it helps: maybe the one that asked.
    /// None when nobody does.
    Total {
        /// Whom to shed first.
        furthest_over: Option<AccountId>,
    },
}

/// All accounts of one total.
#[derive(Debug)]
pub struct ByteAccounts {
    bytes_max: u64,
    /// What is held or set aside, whichever is more, of all accounts together: never more than the total.
    committed: u64,
    held: u64,
    accounts: BTreeMap<AccountId, Account>,
    /// Whether something is still to be set aside.
    is_short: bool,
    next_id: u64,
}

#[derive(Debug)]
struct Account {
    limits: AccountLimits,
    /// What is set aside by now.
    reserved: u64,
    held: u64,
    is_closed: bool,
}

impl ByteAccounts {
    /// A total of which nothing is held.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, committed: 0, held: 0, accounts: BTreeMap::new(), is_short: false, next_id: 0 }
    }

    /// One more account. What there is no room for of its reserve is set aside as soon as others give it back; whoever
    /// was opened first gets it first. A reserve above its ceiling counts as the ceiling.
    pub fn open(&mut self, limits: AccountLimits) -> AccountId {
        let reserve_bytes = limits.reserve_bytes.min(limits.bytes_max);
        let id = AccountId(self.next_id);
        self.next_id += 1;
        let limits = AccountLimits { reserve_bytes, ..limits };
        self.accounts.insert(id, Account { limits, reserved: 0, held: 0, is_closed: false });
        self.is_short = true;
        self.set_aside();
        id
    }

    /// It may take no more, and nothing is set aside for it. What it holds counts until it is given back.
    pub fn close(&mut self, id: AccountId) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        self.committed -= account.committed() - account.held;
        account.limits = AccountLimits { bytes_max: 0, reserve_bytes: 0 };
        account.reserved = 0;
        account.is_closed = true;
        self.forget_if_done(id);
        self.set_aside();
    }

    /// It wants so many more: all of them or none.
    pub fn on_take(&mut self, id: AccountId, bytes: u64) -> Result<(), BytesRefused> {
        let Some(account) = self.accounts.get(&id) else { return Err(BytesRefused::Account { left_bytes: 0 }) };
        let left_bytes = account.limits.bytes_max.saturating_sub(account.held);
        if bytes > left_bytes {
            return Err(BytesRefused::Account { left_bytes });
        }
        let beyond_reserve = (account.held + bytes).max(account.reserved) - account.committed();
        self.commit(beyond_reserve)?;
        self.held += bytes;
        if let Some(account) = self.accounts.get_mut(&id) {
            account.held += bytes;
        }
        Ok(())
    }

    /// It gives so many back.
    pub fn on_give_back(&mut self, id: AccountId, bytes: u64) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        let (before, bytes) = (account.committed(), bytes.min(account.held));
        account.held -= bytes;
        self.held -= bytes;
        self.committed -= before - account.committed();
        self.forget_if_done(id);
        self.set_aside();
    }

    /// Who holds most beyond what is set aside for it; of equals the one that was opened first.
    pub fn furthest_over(&self) -> Option<AccountId> {
        let over = |account: &Account| account.held.saturating_sub(account.reserved);
        // The last of equals is the maximum, so they are seen from the end.
        let (id, account) = self.accounts.iter().rev().max_by_key(|(_, account)| over(account))?;
        (over(account) > 0).then_some(*id)
    }

    /// What this account holds.
    pub fn held(&self, id: AccountId) -> u64 {
        self.accounts.get(&id).map_or(0, |account| account.held)
    }

    /// What all hold together.
    pub fn held_total(&self) -> u64 {
        self.held
    }

    /// The total.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    fn commit(&mut self, bytes: u64) -> Result<(), BytesRefused> {
        if bytes > self.bytes_max - self.committed {
            return Err(BytesRefused::Total { furthest_over: self.furthest_over() });
        }
        self.committed += bytes;
        Ok(())
    }

    /// Set aside what is still to be, as far as there is room. Nothing is taken from anybody for it.
    fn set_aside(&mut self) {
        if !self.is_short {
            return;
        }
        for account in self.accounts.values_mut() {
            let (before, room) = (account.committed(), self.bytes_max - self.committed);
            account.reserved = account.limits.reserve_bytes.min(before + room);
            self.committed += account.committed() - before;
        }
        self.is_short = self.accounts.values().any(|account| account.reserved < account.limits.reserve_bytes);
    }

    fn forget_if_done(&mut self, id: AccountId) {
        if self.accounts.get(&id).is_some_and(|account| account.is_closed && account.held == 0) {
            self.accounts.remove(&id);
        }
    }
}

impl Account {
    fn committed(&self) -> u64 {
        self.held.max(self.reserved)
    }
}

#[cfg(test)]
#[path = "byte_accounts_tests.rs"]
mod tests;
