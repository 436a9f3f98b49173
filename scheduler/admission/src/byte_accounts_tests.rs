//! Byte accounts, walked at random beside a model that adds everything up each time it is asked.

use super::{AccountId, AccountLimits, ByteAccounts, BytesRefused};
use crate::simulation::{Random, walk};

fn limits(bytes_max: u64, reserve_bytes: u64) -> AccountLimits {
    AccountLimits { bytes_max, reserve_bytes }
}

#[test]
fn what_is_set_aside_is_there_whatever_others_take() {
    let mut accounts = ByteAccounts::new(100);
    let greedy = accounts.open(limits(1000, 0)).expect("there is room");
    let modest = accounts.open(limits(50, 30)).expect("there is room");
    assert_eq!(accounts.on_take(greedy, 70), Ok(()));
    assert_eq!(accounts.on_take(greedy, 1), Err(BytesRefused::Total { furthest_over: Some(greedy) }));
    assert_eq!(accounts.on_take(modest, 30), Ok(()));
    assert_eq!(accounts.on_take(modest, 21), Err(BytesRefused::Account { left_bytes: 20 }));
    assert_eq!(accounts.on_take(modest, 1), Err(BytesRefused::Total { furthest_over: Some(greedy) }));
    assert_eq!(accounts.open(limits(10, 1)), Err(BytesRefused::Total { furthest_over: Some(greedy) }));
}

#[test]
fn a_closed_account_counts_until_it_has_given_back() {
    let mut accounts = ByteAccounts::new(100);
    let stopped = accounts.open(limits(100, 60)).expect("there is room");
    assert_eq!(accounts.on_take(stopped, 40), Ok(()));
    accounts.close(stopped);
    assert_eq!(accounts.on_take(stopped, 1), Err(BytesRefused::Account { left_bytes: 0 }));
    let next = accounts.open(limits(100, 60)).expect("60 are not held");
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
    /// Each as it was taken.
    held: Vec<u64>,
}

impl Open {
    fn held(&self) -> u64 {
        self.held.iter().sum()
    }

    fn over(&self) -> u64 {
        self.held().saturating_sub(self.limits.reserve_bytes)
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
        match self.accounts.open(limits) {
            Ok(id) => {
                assert!(self.open.iter().all(|open| open.id < id), "an account's name was given twice");
                self.open.push(Open { id, limits: counted, held: Vec::new() });
            }
            Err(refused) => assert_eq!(refused, BytesRefused::Total { furthest_over: self.furthest_over() }),
        }
        // Opened or not, what is set aside for all of them must be there.
        assert!(self.open.iter().map(|open| open.limits.reserve_bytes).sum::<u64>() <= self.bytes_max);
    }

    fn close(&mut self, random: &mut Random) {
        let Some(place) = self.any(random) else { return };
        let open = &mut self.open[place];
        self.accounts.close(open.id);
        open.limits = limits(0, 0);
        self.forget_closed(place);
    }

    fn take(&mut self, random: &mut Random) {
        let Some(place) = self.any(random) else { return };
        let bytes = random.between(1, 12);
        let open = &self.open[place];
        let left_bytes = open.limits.bytes_max.saturating_sub(open.held());
        let within_reserve = open.held() + bytes <= open.limits.reserve_bytes;
        let others = self.open.iter().filter(|other| other.id != open.id);
        let of_others: u64 = others.map(|other| other.held().max(other.limits.reserve_bytes)).sum();
        let fits = of_others + (open.held() + bytes).max(open.limits.reserve_bytes) <= self.bytes_max;
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
        let id = self.accounts.open(all).expect("nothing is set aside");
        assert_eq!(self.accounts.on_take(id, self.bytes_max), Ok(()), "something was lost");
        self.open.push(Open { id, limits: all, held: vec![self.bytes_max] });
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
