//! Flags: values of an app's variables that hold for some of those who ask, by rule and without a deployment. What a rule
//! says of somebody it says again as long as it stands, on every host.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_manifest::StickyBy;

use crate::split::{Share, Split};
use crate::sticky::{Asks, key_of};

/// Flags of one app.
pub const FLAGS_MAX: usize = 64;
/// Rules of all of them: each request may have to pass all.
pub const RULES_MAX: usize = 256;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 4096;
/// The longest name of a user, or value of a header, in bytes.
pub const KEY_BYTES_MAX: usize = 256;

/// For whom a value holds. The more particular comes first: a user before a header, that before a share, and everybody
/// last; among equals, whichever was set first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Whoever is this one, by what stays the same for one user.
    User(String),
    /// Whoever sends this.
    Header {
        /// The name, in lower case.
        name: String,
        /// All of its value.
        value: String,
    },
    /// So many of all users. Shares of one flag follow each other and do not overlap.
    Share(Share),
    /// Everybody.
    Everybody,
}

impl When {
    fn rank(&self) -> u8 {
        match self {
            Self::User(_) => 0,
            Self::Header { .. } => 1,
            Self::Share(_) => 2,
            Self::Everybody => 3,
        }
    }
}

/// A value, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// For whom.
    pub when: When,
    /// The value.
    pub value: String,
    /// Who set it: the name of a token.
    pub by: String,
    /// When, in the form of RFC 3339.
    pub at: String,
}

/// The rules of one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// What stays the same for one user.
    pub sticky: StickyBy,
    /// Decides who is chosen first: two flags choose different users.
    pub seed: u64,
    rules: Vec<Rule>,
}

/// The flags of an app, by variable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    flags: BTreeMap<String, Flag>,
}

/// Why a rule cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// There are as many flags as there may be.
    #[error("an app has {FLAGS_MAX} flags at the most; unset one first")]
    TooManyFlags,
    /// There are as many rules as there may be.
    #[error("the flags of an app have {RULES_MAX} rules at the most; unset some first")]
    TooManyRules,
    /// It is too long.
    #[error("{what} has more than {most} bytes")]
    TooLong {
        /// What.
        what: &'static str,
        /// How long it may be.
        most: usize,
    },
    /// The shares are more than there is.
    #[error("with {share} more, the shares of this flag would be above 100%")]
    AboveAll {
        /// What was to be added.
        share: Share,
    },
}

/// Which rules are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All of a flag.
    All,
    /// That of a user.
    User(String),
    /// That of a header's value.
    Header {
        /// The name, in lower case.
        name: String,
        /// The value.
        value: String,
    },
    /// The share that has this value.
    ShareOf(String),
    /// That of everybody.
    Everybody,
}

impl Flag {
    /// Its rules, in the order in which they are asked.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule that holds for somebody.
    fn choose(&self, who: &impl Asks) -> Option<usize> {
        let key = key_of(&self.sticky, who);
        let mut below = 0;
        self.rules.iter().position(|rule| match &rule.when {
            When::User(user) => key == Some(user.as_str()),
            When::Header { name, value } => who.header(name) == Some(value.as_str()),
            When::Share(share) => {
                below += share.hundredths();
                let share = Share::from_hundredths(below).unwrap_or(Share::ALL);
                key.is_some_and(|key| Split::new(self.seed, share).takes(key.as_bytes()))
            }
            When::Everybody => true,
        })
    }

    /// In place of the rule for the same people, if there is one; a value has one share.
    fn set(&mut self, rule: Rule) -> Result<(), FlagError> {
        let same = self.rules.iter().position(|other| match (&other.when, &rule.when) {
            (When::Share(_), When::Share(_)) => other.value == rule.value,
            (one, other) => one == other,
        });
        if let When::Share(share) = rule.when {
            let others = self.rules.iter().enumerate().filter(|(place, _)| Some(*place) != same);
            let sum: u32 =
                others.map(|(_, rule)| if let When::Share(share) = rule.when { share.hundredths() } else { 0 }).sum();
            Share::from_hundredths(sum + share.hundredths()).ok_or(FlagError::AboveAll { share })?;
        }
        match same.and_then(|place| self.rules.get_mut(place)) {
            Some(place) => *place = rule,
            None => self.rules.push(rule),
        }
        self.rules.sort_by_key(|rule| rule.when.rank());
        Ok(())
    }
}

impl Flags {
    /// All, by variable.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Flag)> {
        self.flags.iter().map(|(variable, flag)| (variable.as_str(), flag))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// One of them.
    pub fn get(&self, variable: &str) -> Option<&Flag> {
        self.flags.get(variable)
    }

    /// Set a rule. `sticky` is for the whole flag, and stays what it was if it is none; `seed` is that of a new flag.
    /// After an error nothing has changed.
    pub fn set(&mut self, variable: &str, sticky: Option<StickyBy>, seed: u64, rule: Rule) -> Result<(), FlagError> {
        check(&rule)?;
        let mut next = self.clone();
        let new = || Flag { sticky: StickyBy::Ip, seed, rules: Vec::new() };
        let flag = next.flags.entry(variable.to_owned()).or_insert_with(new);
        flag.sticky = sticky.unwrap_or_else(|| flag.sticky.clone());
        flag.set(rule)?;
        if next.flags.len() > FLAGS_MAX {
            return Err(FlagError::TooManyFlags);
        }
        if next.flags.values().map(|flag| flag.rules.len()).sum::<usize>() > RULES_MAX {
            return Err(FlagError::TooManyRules);
        }
        *self = next;
        Ok(())
    }

    /// Take rules away; how many there were. A flag without rules is gone.
    pub fn unset(&mut self, variable: &str, which: &Which) -> usize {
        let Some(flag) = self.flags.get_mut(variable) else { return 0 };
        let before = flag.rules.len();
        flag.rules.retain(|rule| match (which, &rule.when) {
            (Which::All, _) | (Which::Everybody, When::Everybody) => false,
            (Which::User(gone), When::User(user)) => gone != user,
            (Which::Header { name: gone, value: with }, When::Header { name, value }) => (gone, with) != (name, value),
            (Which::ShareOf(value), When::Share(_)) => *value != rule.value,
            _ => true,
        });
        let gone = before - flag.rules.len();
        if flag.rules.is_empty() {
            self.flags.remove(variable);
        }
        gone
    }

    /// What holds for somebody, to be kept for all that is done for them.
    pub fn decide(self: &Arc<Self>, who: &impl Asks) -> Decided {
        let chosen =
            self.flags.values().map(|flag| flag.choose(who).and_then(|rule| u16::try_from(rule).ok())).collect();
        Decided { flags: Arc::clone(self), chosen }
    }
}

fn check(rule: &Rule) -> Result<(), FlagError> {
    let fits = |what, text: &str, most| if text.len() > most { Err(FlagError::TooLong { what, most }) } else { Ok(()) };
    fits("the value", &rule.value, VALUE_BYTES_MAX)?;
    match &rule.when {
        When::User(user) => fits("the user", user, KEY_BYTES_MAX),
        When::Header { name, value } => {
            fits("the header's name", name, KEY_BYTES_MAX)?;
            fits("the header's value", value, KEY_BYTES_MAX)
        }
        When::Share(_) | When::Everybody => Ok(()),
    }
}

/// What the flags say of one who asked.
#[derive(Debug, Clone)]
pub struct Decided {
    flags: Arc<Flags>,
    /// The rule of each flag, in their order.
    chosen: Vec<Option<u16>>,
}

impl Decided {
    /// The value of a variable, if a rule says one.
    pub fn value(&self, variable: &str) -> Option<&str> {
        let place = self.flags.flags.keys().position(|key| key == variable)?;
        let rule = usize::from((*self.chosen.get(place)?)?);
        Some(self.flags.flags.get(variable)?.rules.get(rule)?.value.as_str())
    }
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
