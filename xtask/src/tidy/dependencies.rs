//! Which crate may know which: the architecture, as edges that must not be there.

use super::crates::Crate;

/// A rule about the crates in some folders: none of them may name, or reach, what is forbidden.
struct Rule {
    /// Crate folders; a trailing `*` stands for one name.
    crates: &'static [&'static str],
    /// Folders that the rule does not hold for, though `crates` covers them.
    except: &'static [&'static str],
    /// Crates; a trailing `*` stands for anything.
    forbidden: &'static [&'static str],
    /// Whether what dependencies bring along counts as well.
    transitive: bool,
    /// What to do instead.
    instead: &'static str,
}

const HOST: &[&str] = &["runtime/*", "scheduler/*", "host-apis/*"];

/// Whatever waits for a file, a socket or a process.
const IO: &[&str] = &[
    "tokio",
    "wasmtime*",
    "hyper",
    "hyper-util",
    "reqwest",
    "async-nats",
    "rusqlite",
    "sqlx*",
    "cap-std",
    "mio",
    "socket2",
    "rustls",
    "async-std",
    "smol",
    "tempfile",
    "notify",
];

const RULES: &[Rule] = &[
    Rule {
        crates: &[
            "runtime/manifest",
            "runtime/contracts",
            "runtime/invocation",
            "scheduler/admission",
            "scheduler/rollout",
            "scheduler/clock",
        ],
        except: &[],
        forbidden: IO,
        transitive: true,
        instead: "it is a leaf, without runtime, sandbox or I/O, so that it can be tested by itself: take what it \
                  needs as a parameter, and do the I/O in the crate that calls it",
    },
    Rule {
        crates: HOST,
        except: &["runtime/engine", "host-apis/*"],
        forbidden: &["wasmtime*", "cranelift*", "wasi-common"],
        transitive: false,
        instead: "only runtime/engine and host-apis/* name wasmtime: go through the engine, or through the \
                  `Invoke` trait of scheduler/dispatch",
    },
    Rule {
        crates: HOST,
        except: &["runtime/bus"],
        forbidden: &["async-nats", "nats"],
        transitive: false,
        instead: "only runtime/bus names the NATS client: use the `Bus` trait, so that the embedded backend works too",
    },
    Rule {
        crates: HOST,
        except: &["host-apis/storage"],
        forbidden: &["rusqlite", "libsqlite3-sys", "sqlx*", "tokio-postgres"],
        transitive: false,
        instead: "only host-apis/storage names the databases: everything durable goes through its unit of work",
    },
    Rule {
        crates: &["scheduler/*"],
        except: &[],
        forbidden: &["hull-engine", "hull-gateway", "hull-events", "hull-control", "hull-bus", "hull-storage"],
        transitive: true,
        instead: "dispatch knows an `Invoke` trait, not who implements it: let the engine implement the trait and \
                  pass it in as `Arc<dyn Invoke>`",
    },
    Rule {
        crates: &["host-apis/*"],
        except: &[],
        forbidden: &["hull-engine", "hull-gateway", "hull-events", "hull-control"],
        transitive: true,
        instead: "a host API is linked into the engine, never the other way round: declare a trait where it is \
                  needed and let cli wire it",
    },
    Rule {
        crates: HOST,
        except: &["runtime/control", "runtime/cli"],
        forbidden: &["hull-engine"],
        transitive: false,
        instead: "guests are reached through dispatch and its `Invoke` trait: the door has to see every invocation",
    },
    Rule {
        crates: HOST,
        except: &["runtime/cli"],
        forbidden: &["hull-control", "hull-cli"],
        transitive: false,
        instead: "cli alone sees everything: declare what is needed as a trait and let cli wire it",
    },
    Rule {
        crates: HOST,
        except: &[],
        forbidden: &["hull-tests", "hull-bench", "xtask"],
        transitive: false,
        instead: "what ships does not depend on what tests it: make it a dev-dependency, or move the code",
    },
];

/// Edges that must not be there.
pub(super) fn check(crates: &[Crate]) -> Vec<String> {
    let mut violations = Vec::new();
    for subject in crates.iter().filter(|subject| subject.is_host()) {
        for rule in RULES.iter().filter(|rule| rule.covers(&subject.folder)) {
            let known = if rule.transitive { &subject.reached } else { &subject.direct };
            for other in known.iter().filter(|other| rule.forbids(other)) {
                let how = if subject.direct.contains(other) { "depends on" } else { "reaches" };
                violations.push(format!("{} {how} {other}: {}", subject.folder, rule.instead));
            }
        }
    }
    violations
}

impl Rule {
    fn covers(&self, folder: &str) -> bool {
        let listed = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, folder));
        listed(self.crates) && !listed(self.except)
    }

    fn forbids(&self, name: &str) -> bool {
        self.forbidden.iter().any(|pattern| matches(pattern, name))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::crates::Crate;

    /// What is wrong with a crate in `folder` that depends on `direct`, which brings along `reached`.
    fn violations(folder: &str, direct: &[&str], reached: &[&str]) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let name = format!("hull-{}", folder.rsplit('/').next().unwrap_or(folder));
        let everything = [direct, reached].concat();
        check(&[Crate { name, folder: folder.to_owned(), direct: owned(direct), reached: owned(&everything) }])
    }

    #[test]
    fn every_forbidden_edge_is_found() {
        for (folder, dependency, lesson) in [
            ("runtime/manifest", "tokio", "it is a leaf"),
            ("runtime/invocation", "wasmtime", "it is a leaf"),
            ("scheduler/admission", "hyper", "it is a leaf"),
            ("scheduler/rollout", "cap-std", "it is a leaf"),
            ("scheduler/clock", "tokio", "it is a leaf"),
            ("runtime/gateway", "wasmtime-wasi-http", "only runtime/engine and host-apis/* name wasmtime"),
            ("runtime/cli", "wasmtime", "only runtime/engine and host-apis/* name wasmtime"),
            ("runtime/events", "async-nats", "only runtime/bus"),
            ("host-apis/sql", "rusqlite", "only host-apis/storage"),
            ("runtime/bus", "sqlx-postgres", "only host-apis/storage"),
            ("scheduler/dispatch", "hull-engine", "`Invoke` trait"),
            ("host-apis/http", "hull-gateway", "a host API is linked into the engine"),
            ("runtime/events", "hull-engine", "the door has to see every invocation"),
            ("runtime/engine", "hull-control", "cli alone sees everything"),
            ("runtime/cli", "hull-tests", "what ships"),
        ] {
            let found = violations(folder, &[dependency], &[]);
            assert!(found.iter().any(|found| found.contains(lesson)), "{folder} -> {dependency}: {found:?}");
        }
    }

    #[test]
    fn what_a_dependency_brings_along_counts_where_nothing_of_it_may_be_there() {
        for (folder, reached) in
            [("runtime/manifest", "tokio"), ("scheduler/dispatch", "hull-engine"), ("host-apis/http", "hull-events")]
        {
            assert!(violations(folder, &["x"], &[reached])[0].contains("reaches"), "{folder} -> x -> {reached}");
        }
    }

    #[test]
    fn the_edges_of_the_design_pass() {
        for (folder, dependencies) in [
            ("runtime/engine", &["wasmtime", "wasmtime-wasi", "hull-dispatch", "hull-storage", "tokio"] as &[&str]),
            ("runtime/cli", &["hull-control", "hull-engine", "hull-gateway", "tokio"]),
            ("runtime/control", &["hull-engine"]),
            ("runtime/bus", &["async-nats", "tokio"]),
            ("host-apis/storage", &["rusqlite", "sqlx"]),
            ("host-apis/keyvalue", &["wasmtime", "hull-storage"]),
            ("scheduler/dispatch", &["tokio", "hull-admission"]),
            ("tests", &["wasmtime", "hull-control", "async-nats"]),
        ] {
            assert_eq!(violations(folder, dependencies, &[]), Vec::<String>::new(), "{folder}");
        }
    }

    #[test]
    fn a_host_crate_may_reach_what_it_may_not_name() {
        assert_eq!(violations("runtime/control", &["hull-engine"], &["wasmtime", "rusqlite"]), Vec::<String>::new());
    }
}
