//! What is done to the processes, their files and their lines; which of it there is on a pair, and how often.

use crate::backends::Pair;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// `kill -9` of the host, and a new one at once.
    KillHost,
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
    /// `kill -9` of the server that holds the events; it stays away for a while.
    KillBus,
    /// SIGSTOP of that server, then SIGCONT.
    PauseBus,
    /// The network to it is cut for a while.
    CutBus,
    /// What is sent over that network arrives much later.
    SilenceBus,
    /// It is slow for a while.
    SlowBus,
    /// Its connections end in the middle of what they carry, for a while.
    BreakBus,
    /// No room for the state directory for a while.
    FillDisk,
    /// The wall clock jumps, forth or back.
    StepClock,
}

/// What a run can do besides what is always possible.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Means {
    /// The host's wall clock can be set.
    pub(crate) clock: bool,
}

const ALL: [Fault; 19] = [
    Fault::KillHost,
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
    Fault::KillBus,
    Fault::PauseBus,
    Fault::CutBus,
    Fault::SilenceBus,
    Fault::SlowBus,
    Fault::BreakBus,
    Fault::FillDisk,
    Fault::StepClock,
];

impl Fault {
    /// Every fault there is on a pair with these means, with how often it is chosen.
    pub(crate) fn all_on(pair: Pair, means: Means) -> Vec<(Self, u64)> {
        ALL.into_iter().filter(|fault| fault.exists_on(pair, means)).map(|fault| (fault, fault.weight())).collect()
    }

    fn exists_on(self, pair: Pair, means: Means) -> bool {
        match self {
            Self::KillBus | Self::PauseBus | Self::CutBus | Self::SilenceBus | Self::SlowBus | Self::BreakBus => {
                pair.has_bus_server()
            }
            Self::OtherHost => pair.has_bus_server() && pair.has_one_host(),
            Self::SecondHost => pair.has_one_host(),
            Self::StepClock => means.clock,
            Self::KillHost
            | Self::KillStartingHost
            | Self::KillHostAndTear
            | Self::PauseHost
            | Self::StopHost
            | Self::KillProvider
            | Self::PauseProvider
            | Self::CutLine
            | Self::MuteLine
            | Self::FillDisk => true,
        }
    }

    fn weight(self) -> u64 {
        match self {
            Self::KillHost => 36,
            Self::KillStartingHost | Self::KillHostAndTear => 14,
            Self::KillBus => 20,
            Self::KillProvider => 10,
            Self::StopHost | Self::StepClock => 8,
            Self::CutLine | Self::MuteLine | Self::CutBus => 6,
            Self::PauseHost | Self::PauseBus | Self::SilenceBus | Self::SlowBus | Self::BreakBus => 4,
            Self::FillDisk => 3,
            Self::PauseProvider | Self::SecondHost | Self::OtherHost => 2,
        }
    }

    /// As the report names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KillHost => "kill -9 of the host",
            Self::KillStartingHost => "kill -9 of the host, and again while it starts",
            Self::KillHostAndTear => "kill -9 of the host, and a torn end of one of its files",
            Self::PauseHost => "SIGSTOP and SIGCONT of the host",
            Self::StopHost => "SIGTERM of the host with a short drain",
            Self::KillProvider => "kill -9 of the provider",
            Self::PauseProvider => "SIGSTOP and SIGCONT of the provider",
            Self::SecondHost => "a second host on the same state directory",
            Self::OtherHost => "a second host elsewhere, on the same nats-server",
            Self::CutLine => "line to the provider cut",
            Self::MuteLine => "answers of the provider lost",
            Self::KillBus => "kill -9 of nats-server",
            Self::PauseBus => "SIGSTOP and SIGCONT of nats-server",
            Self::CutBus => "network to nats-server cut",
            Self::SilenceBus => "network to nats-server silent",
            Self::SlowBus => "network to nats-server slow",
            Self::BreakBus => "network to nats-server breaking",
            Self::FillDisk => "full disk",
            Self::StepClock => "wall clock stepped",
        }
    }
}
