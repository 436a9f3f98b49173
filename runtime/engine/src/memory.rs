//! The memory of guests, all together: what they have beside what the host has for them. Limits are ceilings and may add
//! up to more than there is; when it runs short, those give way who have more than their part.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use hull_admission::{AccountId, AccountLimits, ByteAccounts, BytesRefused};
use hull_invocation::ComponentId;
use parking_lot::Mutex;

/// One part in so many of the total is kept for those who have no more than an equal part of it.
const KEPT_FOR_THE_MODEST: u64 = 8;

/// What the host has for the memories and tables of guests.
#[derive(Debug)]
pub(crate) struct HostMemory {
    accounts: Mutex<Accounts>,
}

#[derive(Debug)]
struct Accounts {
    bytes: ByteAccounts,
    components: BTreeMap<AccountId, Known>,
    /// What somebody asked for last when there was too little.
    missed_bytes: u64,
}

/// What can be known of a component without keeping it.
#[derive(Debug)]
struct Known {
    component: ComponentId,
    reserve_bytes: u64,
    memory: Weak<ComponentMemory>,
    must_give_way: Arc<AtomicBool>,
}

/// What the instances of one component have.
#[derive(Debug)]
pub(crate) struct ComponentMemory {
    host: Arc<HostMemory>,
    account: AccountId,
    reserve_bytes: u64,
    /// Somebody else needs what one of its instances has.
    must_give_way: Arc<AtomicBool>,
}

impl HostMemory {
    /// `None` if there is no bound.
    pub(crate) fn new(total_bytes: Option<u64>) -> Arc<Self> {
        let bytes = ByteAccounts::new(total_bytes.unwrap_or(u64::MAX));
        Arc::new(Self { accounts: Mutex::new(Accounts { bytes, components: BTreeMap::new(), missed_bytes: 0 }) })
    }

    /// A version of a component comes, for which so much is set aside. Versions of one component have one account.
    pub(crate) fn join(self: &Arc<Self>, component: &ComponentId, reserve_bytes: u64) -> Arc<ComponentMemory> {
        let mut accounts = self.accounts.lock();
        let same = |known: &&Known| known.component == *component && known.reserve_bytes == reserve_bytes;
        if let Some(memory) = accounts.components.values().find(same).and_then(|known| known.memory.upgrade()) {
            return memory;
        }
        // Deployments are checked as a whole: what the version before still has is set aside as it gives it back.
        let account = accounts.bytes.open(AccountLimits { bytes_max: u64::MAX, reserve_bytes });
        let must_give_way = Arc::new(AtomicBool::new(false));
        let host = Arc::clone(self);
        let joined =
            Arc::new(ComponentMemory { host, account, reserve_bytes, must_give_way: Arc::clone(&must_give_way) });
        let memory = Arc::downgrade(&joined);
        accounts
            .components
            .insert(account, Known { component: component.clone(), reserve_bytes, memory, must_give_way });
        joined
    }
}

impl Accounts {
    /// Whether it may have so much more without taking what is kept for others.
    fn leaves_enough(&self, component: &ComponentMemory, bytes: u64) -> bool {
        let total = self.bytes.bytes_max();
        let after = self.bytes.held_total().saturating_add(bytes);
        if after <= total - total / KEPT_FOR_THE_MODEST {
            return true;
        }
        let has = self.bytes.held(component.account).saturating_add(bytes);
        let is_active = |account: &&AccountId| **account == component.account || self.bytes.held(**account) > 0;
        let active = self.components.keys().filter(is_active).count().max(1) as u64;
        has <= component.reserve_bytes.max(total / active) || active == 1
    }

    /// Whether what was last missed would be missed again.
    fn is_short(&self) -> bool {
        self.bytes.held_total().saturating_add(self.missed_bytes) > self.bytes.bytes_max()
    }

    fn make_give_way(&mut self, furthest: AccountId, missed_bytes: u64) {
        self.missed_bytes = missed_bytes;
        if let Some(furthest) = self.components.get(&furthest) {
            furthest.must_give_way.store(true, Ordering::Relaxed);
        }
    }
}

impl ComponentMemory {
    /// Have so much more; `false` if the host is too short of it.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let mut accounts = self.host.accounts.lock();
        if !accounts.leaves_enough(self, bytes) {
            return false;
        }
        match accounts.bytes.on_take(self.account, bytes) {
            Ok(()) => true,
            Err(BytesRefused::Total { furthest_over: Some(furthest) }) if furthest != self.account => {
                accounts.make_give_way(furthest, bytes);
                false
            }
            Err(_) => false,
        }
    }

    /// Give back so much.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.host.accounts.lock().bytes.on_give_back(self.account, bytes);
    }

    /// What its instances have, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.host.accounts.lock().bytes.held(self.account)
    }

    /// Whether one of its instances must end, so that somebody within its part gets what it needs. Whoever is told so
    /// ends. What others have given back meanwhile need not be given twice.
    pub(crate) fn must_give_way(&self) -> bool {
        self.is_told() && self.must_give_way.swap(false, Ordering::Relaxed) && self.host.accounts.lock().is_short()
    }

    /// Whether somebody waits for what its instances have.
    pub(crate) fn is_told(&self) -> bool {
        self.must_give_way.load(Ordering::Relaxed)
    }

    /// What the host has for all guests together, in bytes.
    pub(crate) fn host_bytes_max(&self) -> u64 {
        self.host.accounts.lock().bytes.bytes_max()
    }
}

impl Drop for ComponentMemory {
    fn drop(&mut self) {
        let mut accounts = self.host.accounts.lock();
        accounts.bytes.close(self.account);
        accounts.components.remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hull_invocation::ComponentId;

    use super::{ComponentMemory, HostMemory};

    fn join(host: &Arc<HostMemory>, name: &str, reserve_bytes: u64) -> Arc<ComponentMemory> {
        host.join(&ComponentId::new("app", name), reserve_bytes)
    }

    #[test]
    fn alone_it_may_have_all() {
        let host = HostMemory::new(Some(800));
        let one = join(&host, "one", 0);
        assert!(one.take(400) && one.take(400));
        assert!(!one.take(1));
        one.give_back(800);
        assert!(one.take(800), "what is given back can be had again");
    }

    #[test]
    fn a_part_is_kept_for_the_modest() {
        let host = HostMemory::new(Some(800));
        let (greedy, modest) = (join(&host, "greedy", 0), join(&host, "modest", 0));
        assert!(modest.take(1) && greedy.take(699));
        assert!(!greedy.take(1), "an eighth is kept");
        assert!(modest.take(100));
        assert!(!greedy.must_give_way(), "nobody has missed anything");
    }

    #[test]
    fn who_is_furthest_over_gives_way() {
        let host = HostMemory::new(Some(900));
        let [greedy, less_greedy, modest] = ["greedy", "less", "modest"].map(|name| join(&host, name, 0));
        assert!(modest.take(10) && less_greedy.take(310) && greedy.take(460));
        assert!(!modest.take(200), "there is not so much");
        assert!(greedy.must_give_way());
        assert!(!greedy.must_give_way(), "one instance is enough");
        assert!(!less_greedy.must_give_way() && !modest.must_give_way());
        assert!(!modest.take(200) && greedy.is_told());
        less_greedy.give_back(100);
        assert!(!greedy.must_give_way(), "others were first");
        assert!(less_greedy.take(100));
        greedy.give_back(460);
        assert!(modest.take(200));
    }

    #[test]
    fn what_is_set_aside_is_there_for_whom_it_is() {
        let host = HostMemory::new(Some(1000));
        let (greedy, reserved) = (join(&host, "greedy", 0), join(&host, "reserved", 600));
        assert!(!greedy.take(401), "the rest is set aside");
        assert!(greedy.take(400));
        assert!(reserved.take(600), "it is there");
        assert!(!reserved.take(1));
    }

    #[test]
    fn versions_of_one_component_share_what_is_set_aside() {
        let host = HostMemory::new(Some(1000));
        let (before, after) = (join(&host, "one", 600), join(&host, "one", 600));
        assert!(Arc::ptr_eq(&before, &after));
        let changed = join(&host, "one", 700);
        drop((before, after));
        assert!(changed.take(1000));
        changed.give_back(1000);
        drop(changed);
        assert!(join(&host, "other", 1000).take(1000), "what nobody has is free");
    }

    #[test]
    fn a_version_that_comes_while_the_one_before_has_all_gets_its_reserve_from_it() {
        let host = HostMemory::new(Some(1000));
        let before = join(&host, "one", 600);
        assert!(before.take(600));
        let (after, greedy) = (join(&host, "one", 700), join(&host, "greedy", 0));
        before.give_back(600);
        drop(before);
        assert!(!greedy.take(301), "the rest is set aside");
        assert!(after.take(700));
    }

    #[test]
    fn without_a_bound_there_is_none() {
        let host = HostMemory::new(None);
        assert!(join(&host, "one", 1 << 40).take(1 << 50));
    }
}
