//! Byte accounts, walked at random beside a model that adds everything up each time it is asked.

use super::{AccountId, AccountLimits, ByteAccounts, BytesRefused};
use crate::simulation::{Random, walk};

fn limits(bytes_max: u64, reserve_bytes: u64) -> AccountLimits {
    AccountLimits { bytes_max, reserve_bytes }
}

#[test]
fn what_is_set_aside_is_there_whatever_others_take() {
    let mut accounts = ByteAccounts::new(100);
    let greedy = accounts.open(limits(1000, 0));
    let modest = accounts.open(limits(50, 30));
    assert_eq!(accounts.on_take(greedy, 70), Ok(()));
    assert_eq!(accounts.on_take(greedy, 1), Err(BytesRefused::Total { furthest_over: Some(greedy) }));
    assert_eq!(accounts.on_take(modest, 30), Ok(()));
    assert_eq!(accounts.on_take(modest, 21), Err(BytesRefused::Account { left_bytes: 20 }));
    assert_eq!(accounts.on_take(modest, 1), Err(BytesRefused::Total { furthest_over: Some(greedy) }));
}

#[test]
fn what_cannot_be_set_aside_yet_is_when_others_give_back() {
    let mut accounts = ByteAccounts::new(100);
    let before = accounts.open(limits(1000, 60));
    let after = accounts.open(limits(1000, 60));
    assert_eq!(accounts.on_take(before, 61), Err(BytesRefused::Total { furthest_over: None }), "40 are for the other");
    assert_eq!(accounts.on_take(before, 50), Ok(()));
    accounts.close(before);
    let greedy = accounts.open(limits(1000, 0));
    assert_eq!(accounts.on_take(greedy, 1), Err(BytesRefused::Total { furthest_over: Some(before) }));
    accounts.on_give_back(before, 20);
    assert_eq!(accounts.on_take(greedy, 11), Err(BytesRefused::Total { furthest_over: Some(before) }));
    assert_eq!((accounts.on_take(greedy, 10), accounts.on_take(after, 60)), (Ok(()), Ok(())), "it has all of it now");
}

#[test]
fn a_closed_account_counts_until_it_has_given_back() {
    let mut accounts = ByteAccounts::new(100);
    let stopped = accounts.open(limits(100, 60));
    assert_eq!(accounts.on_take(stopped, 40), Ok(()));
    accounts.close(stopped);
    assert_eq!(accounts.on_take(stopped, 1), Err(BytesRefused::Account { left_bytes: 0 }));
    let next = accounts.open(limits(100, 60));
    assert_eq!(accounts.on_take(next, 61), Err(BytesRefused::Total { furthest_over: Some(stopped) }));
    accounts.on_give_back(stopped, 40);
    assert_eq!((accounts.on_take(next, 100), accounts.held(stopped)), (Ok(()), 0));
}

struct Model {
    accounts: ByteAccounts,
    bytes_max: u64,
    open: Vec<Open>,
}

struct Open {
    id: AccountId,
    limits: AccountLimits,
    /// What is set aside by now.
    reserved: u64,
    /// Each as it was taken.
    held: Vec<u64>,
}

impl Open {
    fn held(&self) -> u64 {
        self.held.iter().sum()
    }

    fn committed(&self) -> u64 {
        self.held().max(self.reserved)
    }

    fn over(&self) -> u64 {
        self.held().saturating_sub(self.reserved)
    }
}

impl Model {
    fn begin(random: &mut Random) -> Self {
        let bytes_max = random.between(1, 60);
        Self { accounts: ByteAccounts::new(bytes_max), bytes_max, open: Vec::new() }
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(16) {
            0 if self.open.len() < 6 => self.open(random),
            1 => self.close(random),
            2..=9 => self.take(random),
            10..=14 => self.give_back(random),
            _ if random.below(64) == 0 => self.empty_and_fill(),
            _ => {}
        }
        self.set_aside();
        let held: u64 = self.open.iter().map(Open::held).sum();
        assert!(held <= self.bytes_max, "{held} held of {}", self.bytes_max);
        assert_eq!(self.accounts.held_total(), held, "what all hold");
        assert_eq!(self.accounts.accounts.len(), self.open.len(), "accounts that are closed and empty are gone");
        for open in &self.open {
            assert_eq!(self.accounts.held(open.id), open.held(), "what {:?} holds", open.id);
        }
        assert_eq!(self.accounts.furthest_over(), self.furthest_over(), "who is furthest over");
    }

    fn open(&mut self, random: &mut Random) {
        let limits = limits(random.below(40), random.below(20));
        let counted = AccountLimits { reserve_bytes: limits.reserve_bytes.min(limits.bytes_max), ..limits };
        let id = self.accounts.open(limits);
        assert!(self.open.iter().all(|open| open.id < id), "an account's name was given twice");
        self.open.push(Open { id, limits: counted, reserved: 0, held: Vec::new() });
    }

    /// Who was opened first gets first what there is room for.
    fn set_aside(&mut self) {
        for place in 0..self.open.len() {
            let others = self.open.iter().enumerate().filter(|(other, _)| *other != place);
            let left = self.bytes_max - others.map(|(_, open)| open.committed()).sum::<u64>();
            let open = &mut self.open[place];
            open.reserved = open.limits.reserve_bytes.min(left).max(open.reserved);
        }
        let reserved: u64 = self.open.iter().map(|open| open.reserved).sum();
        assert!(reserved <= self.bytes_max, "what is set aside for all of them must be there");
    }

    fn close(&mut self, random: &mut Random) {
        let Some(place) = self.any(random) else { return };
        let open = &mut self.open[place];
        self.accounts.close(open.id);
        (open.limits, open.reserved) = (limits(0, 0), 0);
        self.forget_closed(place);
    }

    fn take(&mut self, random: &mut Random) {
        let Some(place) = self.any(random) else { return };
        let bytes = random.between(1, 12);
        let open = &self.open[place];
        let left_bytes = open.limits.bytes_max.saturating_sub(open.held());
        let within_reserve = open.held() + bytes <= open.reserved;
        let others = self.open.iter().filter(|other| other.id != open.id);
        let of_others: u64 = others.map(Open::committed).sum();
        let fits = of_others + (open.held() + bytes).max(open.reserved) <= self.bytes_max;
        match self.accounts.on_take(open.id, bytes) {
            Ok(()) => {
                assert!(bytes <= left_bytes, "beyond its ceiling");
                assert!(fits, "of what is set aside for others");
                self.open[place].held.push(bytes);
            }
            Err(BytesRefused::Account { left_bytes: told }) => {
                assert!(bytes > left_bytes, "it is below its ceiling");
                assert_eq!(told, left_bytes);
            }
            Err(BytesRefused::Total { furthest_over }) => {
                assert!(bytes <= left_bytes, "its own ceiling comes first");
                assert!(!within_reserve, "this was set aside for it");
                assert!(!fits, "there was room");
                assert_eq!(furthest_over, self.furthest_over());
            }
        }
    }

    fn give_back(&mut self, random: &mut Random) {
        let Some(place) = self.any(random) else { return };
        let open = &mut self.open[place];
        if !open.held.is_empty() {
            let bytes = open.held.swap_remove(random.below(open.held.len() as u64) as usize);
            self.accounts.on_give_back(open.id, bytes);
            self.forget_closed(place);
        }
    }

    /// No byte has been lost: when all have gone, one may have all of it.
    fn empty_and_fill(&mut self) {
        for open in self.open.drain(..) {
            self.accounts.close(open.id);
            open.held.iter().for_each(|bytes| self.accounts.on_give_back(open.id, *bytes));
        }
        let all = limits(self.bytes_max, self.bytes_max);
        let id = self.accounts.open(all);
        assert_eq!(self.accounts.on_take(id, self.bytes_max), Ok(()), "something was lost");
        self.open.push(Open { id, limits: all, reserved: self.bytes_max, held: vec![self.bytes_max] });
    }

    fn forget_closed(&mut self, place: usize) {
        if self.open[place].limits == limits(0, 0) && self.open[place].held.is_empty() {
            // One that was opened with nothing allowed is the same as a closed one.
            self.accounts.close(self.open[place].id);
            self.open.remove(place);
        }
    }

    fn furthest_over(&self) -> Option<AccountId> {
        let most = self.open.iter().map(Open::over).max().filter(|most| *most > 0)?;
        self.open.iter().find(|open| open.over() == most).map(|open| open.id)
    }

    fn any(&self, random: &mut Random) -> Option<usize> {
        (!self.open.is_empty()).then(|| random.below(self.open.len() as u64) as usize)
    }
}

#[test]
fn ten_million_steps_never_hold_more_than_the_total_or_touch_a_reserve() {
    walk(10_000_000, Model::begin, Model::step);
}
