//! Flags as they are kept and shown.

use std::collections::BTreeMap;

use hull_manifest::{Invalid, StickyBy};
use hull_rollout::{Flag, Flags, Rule, Share, When};
use serde::{Deserialize, Serialize};

/// The flags of an app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppRecord {
    flags: BTreeMap<String, FlagRecord>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagRecord {
    /// What stays the same for one user: `ip`, `header:NAME` or `cookie:NAME`.
    sticky: String,
    /// Decides who is chosen first.
    seed: u64,
    rules: Vec<RuleRecord>,
}

/// A value, and for whom: at most one of user, header and share; for everybody with none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleRecord {
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<HeaderRecord>,
    /// In hundredths of a percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<u32>,
    by: String,
    at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderRecord {
    name: String,
    value: String,
}

impl AppRecord {
    pub(super) fn of(flags: &Flags) -> Self {
        Self { flags: flags.all().map(|(variable, flag)| (variable.to_owned(), FlagRecord::of(flag))).collect() }
    }

    /// The flags, or what is wrong with them.
    pub(super) fn flags(self) -> Result<Flags, String> {
        let mut flags = Flags::default();
        for (variable, record) in self.flags {
            let sticky: StickyBy = record.sticky.parse().map_err(|error: Invalid| error.to_string())?;
            for rule in record.rules {
                let set = flags.set(&variable, Some(sticky.clone()), record.seed, rule.rule()?);
                set.map_err(|error| error.to_string())?;
            }
        }
        Ok(flags)
    }
}

impl FlagRecord {
    /// Of a flag.
    pub(crate) fn of(flag: &Flag) -> Self {
        let rules = flag.rules().iter().map(RuleRecord::of).collect();
        Self { sticky: flag.sticky.to_string(), seed: flag.seed, rules }
    }
}

impl RuleRecord {
    fn of(rule: &Rule) -> Self {
        let Rule { when, value, by, at } = rule.clone();
        let mut record = Self { value, user: None, header: None, share: None, by, at };
        match when {
            When::User(user) => record.user = Some(user),
            When::Header { name, value } => record.header = Some(HeaderRecord { name, value }),
            When::Share(share) => record.share = Some(share.hundredths()),
            When::Everybody => {}
        }
        record
    }

    fn rule(self) -> Result<Rule, String> {
        let Self { value, user, header, share, by, at } = self;
        let when = match (user, header, share) {
            (Some(user), None, None) => When::User(user),
            (None, Some(HeaderRecord { name, value }), None) => When::Header { name, value },
            (None, None, Some(share)) => {
                When::Share(Share::from_hundredths(share).ok_or("a share is above 100%".to_owned())?)
            }
            (None, None, None) => When::Everybody,
            _ => return Err("a rule is for a user, a header or a share, and not for several".to_owned()),
        };
        Ok(Rule { when, value, by, at })
    }
}
