//! What the attackers do: each one is what the probe (tests/guests/probe) is asked for, over how many connections.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::connection::{Request, request};

/// A way to be a bad neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    /// 64 loops at once.
    Spin,
    /// Memory up to the bound, touched, and held.
    Memory,
    /// 20 times the requests that the component carries.
    Flood,
    /// Calls to a server that never answers.
    Downstream,
    /// Events to itself, two for each one.
    Storm,
    /// As many log lines as it gets out.
    Logs,
    /// Large values until the quota is full, and on.
    Storage,
    /// A panic for each request.
    Panics,
    /// The whole shop compiled and started again and again.
    Deploys,
}

/// In the order of the table.
pub(crate) const ALL: [Attack; 9] = [
    Attack::Spin,
    Attack::Memory,
    Attack::Flood,
    Attack::Downstream,
    Attack::Storm,
    Attack::Logs,
    Attack::Storage,
    Attack::Panics,
    Attack::Deploys,
];

/// Requests at once, in all attacks but the flood: what the attacked component takes at once.
pub(crate) const CONCURRENCY: usize = 64;
/// The flood comes over so many connections: enough that those who are turned away find one at once.
const FLOOD_CONNECTIONS: usize = 512;
/// About 3 ms of computing: two cores carry some 600 such requests a second, and clients on the same machine can send
/// many times as many.
const WORK_TURNS: u64 = 5_000_000;
const LOG_LINES: usize = 200;
const STORED_KEYS: usize = 64;
const STORED_AT_ONCE: usize = 4;
/// A little below the most that a value may have.
const STORED_BYTES: u64 = 1_000_000;

impl Attack {
    /// As options and the table call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Memory => "memory",
            Self::Flood => "flood",
            Self::Downstream => "downstream",
            Self::Storm => "storm",
            Self::Logs => "logs",
            Self::Storage => "storage",
            Self::Panics => "panics",
            Self::Deploys => "deploys",
        }
    }

    /// The one with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|attack| attack.name() == name)
    }

    /// Whether the order of the run queue matters to it, so that it is worth showing without.
    pub(crate) fn is_about_cpu(self) -> bool {
        matches!(self, Self::Spin | Self::Flood | Self::Logs | Self::Panics)
    }

    /// Over how many connections it comes.
    pub(crate) fn connections(self) -> usize {
        if self == Self::Flood { FLOOD_CONNECTIONS } else { CONCURRENCY }
    }

    /// What is sent, one after the other. `silent` is the server that never answers.
    pub(crate) fn requests(self, silent: SocketAddr) -> Vec<Request> {
        let scripts = match self {
            Self::Spin => vec![r#"[{"do":"loop"}]"#.to_owned()],
            // One dies at the bound; one stays below it and holds what it has.
            Self::Memory => vec![
                r#"[{"do":"hog","mib":4096}]"#.to_owned(),
                r#"[{"do":"hog","mib":48},{"do":"sleep","ms":50}]"#.to_owned(),
            ],
            Self::Flood => vec![work()],
            Self::Downstream => vec![format!(r#"[{{"do":"call","url":"http://{silent}/"}}]"#)],
            Self::Storm => vec![storm()],
            Self::Logs => vec![logs()],
            Self::Storage => (0..STORED_KEYS).map(storage).collect(),
            Self::Panics => vec![r#"[{"do":"panic","message":"by intent"}]"#.to_owned()],
            Self::Deploys => Vec::new(),
        };
        scripts.iter().map(|script| request("POST", "/attacker/run", script)).collect()
    }
}

/// A script that computes, always as much.
fn work() -> String {
    format!(r#"[{{"do":"work","turns":{WORK_TURNS}}}]"#)
}

/// As many instances at once as an attack has, and nothing else.
pub(crate) fn harmless() -> Request {
    request("POST", "/attacker/run", r#"[{"do":"sleep","ms":20}]"#)
}

/// An event whose handler publishes it twice; the chain ends by the host's bound on hops, the rate by its quota.
fn storm() -> String {
    let publish = r#"{"do":"publish","subject":"storm.event","payload":"@payload"}"#;
    let event = format!(r#"{{"script":[{publish},{publish}]}}"#);
    format!(r#"[{{"do":"publish","subject":"storm.event","payload":{event}}}]"#)
}

fn logs() -> String {
    let line = "a line that nobody will ever read, as long as lines of real services usually are, and then some";
    let steps: Vec<String> = (0..LOG_LINES).map(|_| format!(r#"{{"do":"log","message":"{line}"}}"#)).collect();
    format!("[{}]", steps.join(","))
}

fn storage(number: usize) -> String {
    let mut script = r#"[{"do":"open","store":"default"}"#.to_owned();
    for at in 0..STORED_AT_ONCE {
        // Writing to a string does not fail.
        let _ = write!(script, r#",{{"do":"fill","key":"key-{number}-{at}","bytes":{STORED_BYTES}}}"#);
    }
    script + "]"
}

#[cfg(test)]
mod tests {
    use super::{ALL, Attack};

    #[test]
    fn names_are_known_and_scripts_are_json() {
        let silent = "127.0.0.1:9".parse().expect("an address");
        for attack in ALL {
            assert_eq!(Attack::named(attack.name()), Some(attack));
            for request in attack.requests(silent) {
                let text = String::from_utf8(request.to_vec()).expect("text");
                let (_, body) = text.split_once("\r\n\r\n").expect("a body");
                let script: serde_json::Value = serde_json::from_str(body).expect("JSON");
                assert!(script.as_array().is_some_and(|steps| steps.iter().all(|step| step["do"].is_string())));
            }
        }
        assert_eq!(Attack::named("kindness"), None);
    }
}
