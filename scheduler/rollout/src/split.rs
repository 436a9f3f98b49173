//! Who is sent to the canary: by a hash of what stays the same for one user, so that a share that grows only adds users.

use std::fmt;

/// A share of all users, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

/// All of them.
const WHOLE: u32 = 10_000;

impl Share {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(WHOLE);

    /// So many hundredths of a percent; none above 100 %.
    pub fn from_hundredths(hundredths: u32) -> Option<Self> {
        (hundredths <= WHOLE).then_some(Self(hundredths))
    }

    /// In hundredths of a percent.
    pub fn hundredths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 100.0)
    }
}

/// How users are split. Two rollouts with different seeds choose different users first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    seed: u64,
    share: Share,
}

impl Split {
    /// That share of all users goes to the canary.
    pub fn new(seed: u64, share: Share) -> Self {
        Self { seed, share }
    }

    /// The seed of a split that has a name: the same on every host and after every restart.
    pub fn seed_of(name: &str) -> u64 {
        mixed(hashed(name.as_bytes()))
    }

    /// The share.
    pub fn share(&self) -> Share {
        self.share
    }

    /// Whether whoever has this key goes to the canary. The same on every host and in every version of Hull.
    pub fn takes(&self, key: &[u8]) -> bool {
        let place = mixed(hashed(key) ^ self.seed) % u64::from(WHOLE);
        place < u64::from(self.share.0)
    }
}

/// FNV-1a, 64 bits.
fn hashed(key: &[u8]) -> u64 {
    key.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The finalizer of `SplitMix64`: keys that differ in little end far from each other.
fn mixed(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Share, Split};

    fn share(hundredths: u32) -> Share {
        Share::from_hundredths(hundredths).expect("a share")
    }

    #[test]
    fn as_many_users_as_the_share_says() {
        for seed in [0, 1, 0xFFFF_FFFF_0000] {
            for hundredths in [0, 100, 500, 2500, 10_000] {
                let split = Split::new(seed, share(hundredths));
                let taken = (0..20_000).filter(|user| split.takes(format!("user-{user}").as_bytes())).count();
                let expected = hundredths as usize * 2;
                assert!(taken.abs_diff(expected) <= 200, "{taken} of {expected}, seed {seed}");
            }
        }
    }

    #[test]
    fn whoever_was_taken_stays_when_the_share_grows() {
        for user in 0..5000 {
            let key = format!("session={user}");
            let taken = |hundredths| Split::new(7, share(hundredths)).takes(key.as_bytes());
            assert!(!taken(500) || taken(2500), "{key}");
            assert!(!taken(2500) || taken(10_000), "{key}");
        }
    }

    #[test]
    fn other_seeds_choose_other_users() {
        let users: Vec<String> = (0..10_000).map(|user| user.to_string()).collect();
        let taken = |seed, user: &String| Split::new(seed, share(1000)).takes(user.as_bytes());
        let both = users.iter().filter(|user| taken(1, user) && taken(2, user)).count();
        assert!((50..150).contains(&both), "{both} of about 100");
    }

    #[test]
    fn shares_are_shown_as_written() {
        assert_eq!(share(500).to_string(), "5%");
        assert_eq!(share(1).to_string(), "0.01%");
        assert_eq!(Share::from_hundredths(10_001), None);
    }
}
