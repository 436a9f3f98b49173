//! What is done to the processes, their files and their lines; which of it there is on a pair, and how often.

use crate::backends::{Pair, Role};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// `kill -9` of the host, or of one of them, and a new one at once.
    KillHost,
    /// `kill -9` of all hosts that share the app, and new ones at once.
    KillAllHosts,
    /// The same, and the new one is killed as well while it starts.
    KillStartingHost,
    /// The same, and something half-written is left at the end of one of its files.
    KillHostAndTear,
    /// SIGSTOP for up to some seconds, then SIGCONT.
    PauseHost,
    /// SIGTERM with a drain that is too short for some.
    StopHost,
    /// `kill -9` of the payment provider, which stays away for a while.
    KillProvider,
    /// SIGSTOP of the provider for longer than it is waited for, then SIGCONT: it goes on where it was.
    PauseProvider,
    /// Another host is started on the same state directory, which it has to refuse.
    SecondHost,
    /// Another host is started elsewhere, with data of its own, which the bus has to refuse.
    OtherHost,
    /// The line to the provider is cut for a while.
    CutLine,
    /// The provider is asked, and its answers are lost for a while.
    MuteLine,
    /// Something happens to a server, or to the network that leads to it.
    Server(Role, Blow),
    /// No room for the state directory for a while.
    FillDisk,
    /// The wall clock jumps, forth or back.
    StepClock,
}

/// What happens to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blow {
    /// `kill -9`; it stays away for a while.
    Kill,
    /// SIGSTOP, then SIGCONT.
    Pause,
    /// The network to it is cut for a while.
    Cut,
    /// What is sent over that network arrives much later.
    Silence,
    /// It is slow for a while.
    Slow,
    /// Its connections end in the middle of what they carry, for a while.
    Break,
}

/// What a run can do besides what is always possible.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Means {
    /// The host's wall clock can be set.
    pub(crate) clock: bool,
}

const ALONE: [Fault; 12] = [
    Fault::KillHost,
    Fault::KillAllHosts,
    Fault::KillStartingHost,
    Fault::KillHostAndTear,
    Fault::PauseHost,
    Fault::StopHost,
    Fault::KillProvider,
    Fault::PauseProvider,
    Fault::SecondHost,
    Fault::OtherHost,
    Fault::CutLine,
    Fault::MuteLine,
];
const BLOWS: [Blow; 6] = [Blow::Kill, Blow::Pause, Blow::Cut, Blow::Silence, Blow::Slow, Blow::Break];
const OF_MACHINES: [Fault; 2] = [Fault::FillDisk, Fault::StepClock];

impl Fault {
    /// Every fault there is on a pair with these means, with how often it is chosen.
    pub(crate) fn all_on(pair: Pair, means: Means) -> Vec<(Self, u64)> {
        let blows = [Role::Bus, Role::Data].into_iter().flat_map(|role| BLOWS.map(|blow| Self::Server(role, blow)));
        let all = ALONE.into_iter().chain(blows).chain(OF_MACHINES);
        all.filter(|fault| fault.exists_on(pair, means)).map(|fault| (fault, fault.weight())).collect()
    }

    fn exists_on(self, pair: Pair, means: Means) -> bool {
        match self {
            Self::Server(role, _) => pair.has_server(role),
            Self::KillAllHosts => pair.hosts() > 1,
            Self::OtherHost => pair.has_server(Role::Bus) && pair.hosts() == 1,
            // What is filled and torn are files of the host's.
            Self::KillHostAndTear | Self::FillDisk => pair.has_data_files(),
            Self::StepClock => means.clock,
            Self::KillHost
            | Self::KillStartingHost
            | Self::SecondHost
            | Self::PauseHost
            | Self::StopHost
            | Self::KillProvider
            | Self::PauseProvider
            | Self::CutLine
            | Self::MuteLine => true,
        }
    }

    fn weight(self) -> u64 {
        match self {
            Self::KillHost => 36,
            Self::KillStartingHost | Self::KillHostAndTear => 14,
            Self::Server(_, Blow::Kill) => 20,
            Self::KillProvider => 10,
            Self::StopHost | Self::StepClock => 8,
            Self::KillAllHosts | Self::CutLine | Self::MuteLine | Self::Server(_, Blow::Cut) => 6,
            Self::PauseHost | Self::Server(..) => 4,
            Self::FillDisk => 3,
            Self::PauseProvider | Self::SecondHost | Self::OtherHost => 2,
        }
    }

    /// As the report names it.
    pub(crate) fn name(self) -> String {
        let text = match self {
            Self::KillHost => "kill -9 of a host",
            Self::KillAllHosts => "kill -9 of all hosts",
            Self::KillStartingHost => "kill -9 of a host, and again while it starts",
            Self::KillHostAndTear => "kill -9 of the host, and a torn end of one of its files",
            Self::PauseHost => "SIGSTOP and SIGCONT of a host",
            Self::StopHost => "SIGTERM of a host with a short drain",
            Self::KillProvider => "kill -9 of the provider",
            Self::PauseProvider => "SIGSTOP and SIGCONT of the provider",
            Self::SecondHost => "a second host on the same state directory",
            Self::OtherHost => "a second host elsewhere, on the same nats-server",
            Self::CutLine => "line to the provider cut",
            Self::MuteLine => "answers of the provider lost",
            Self::Server(role, blow) => return blow.name(role.program()),
            Self::FillDisk => "full disk",
            Self::StepClock => "wall clock stepped",
        };
        text.to_owned()
    }
}

impl Blow {
    fn name(self, program: &str) -> String {
        match self {
            Self::Kill => format!("kill -9 of {program}"),
            Self::Pause => format!("SIGSTOP and SIGCONT of {program}"),
            Self::Cut => format!("network to {program} cut"),
            Self::Silence => format!("network to {program} silent"),
            Self::Slow => format!("network to {program} slow"),
            Self::Break => format!("network to {program} breaking"),
        }
    }
}
