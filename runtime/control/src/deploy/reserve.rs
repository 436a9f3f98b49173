//! Reservations: what is set aside for components must fit into what the host has, all apps together.

use hull_manifest::{App, ByteSize};

use crate::error::ComponentProblem;

/// What the host has to set aside from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    /// In bytes; none where neither the operator nor the machine tells it.
    memory: Option<u64>,
    /// In percent of one core.
    cpu_percent: u64,
}

impl Totals {
    /// What `[host]` says, or what the machine has.
    pub(crate) fn of(memory: Option<ByteSize>, threads: usize) -> Self {
        let machine = || std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_total(&text));
        let memory = memory.map(ByteSize::get).or_else(machine);
        Self { memory, cpu_percent: threads as u64 * 100 }
    }

    /// What guests may have together, in bytes.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.memory
    }
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What does not fit: the sum, the total, and the lines that make it up.
pub(crate) fn check<'a>(apps: impl Iterator<Item = &'a App>, totals: &Totals) -> Vec<ComponentProblem> {
    let (mut memory, mut cpu) = (Sum::default(), Sum::default());
    for app in apps {
        for component in &app.components {
            let reserve = &component.hull.reserve;
            let line = |key: &str, value: &dyn std::fmt::Display| {
                format!("reserve.{key} = \"{value}\" of [component.{}.tool.hull] in app {}", component.name, app.name)
            };
            memory.add(reserve.memory.get(), || line("memory", &reserve.memory));
            cpu.add(u64::from(reserve.cpu.get()), || line("cpu", &reserve.cpu));
        }
    }
    let memory = totals.memory.and_then(|total| memory.beyond(total, "memory", " bytes", "memory"));
    let cpu = cpu.beyond(totals.cpu_percent, "cpu", "% of a core", "threads");
    memory.into_iter().chain(cpu).collect()
}

#[derive(Default)]
struct Sum {
    sum: u64,
    lines: Vec<String>,
}

impl Sum {
    fn add(&mut self, amount: u64, line: impl FnOnce() -> String) {
        if amount > 0 {
            self.sum = self.sum.saturating_add(amount);
            self.lines.push(line());
        }
    }

    fn beyond(&self, total: u64, key: &str, unit: &str, host_key: &str) -> Option<ComponentProblem> {
        let Self { sum, lines } = self;
        (*sum > total).then(|| ComponentProblem {
            component: format!("reserve.{key}"),
            message: format!(
                "{sum}{unit} are to be set aside and the host has {total}{unit}; raise [host] {host_key} in hull.toml, \
                 or lower one of: {}",
                lines.join(", ")
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use hull_manifest::{App, Reading};

    use super::{Totals, check, memory_total};

    const MIB: u64 = 1 << 20;

    fn app(memory: &str, cpu: &str) -> App {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"shop\"\nversion = \"1\"\n\
             [[trigger.http]]\nroute = \"/a\"\ncomponent = \"a\"\n[component.a]\nsource = \"a.wasm\"\n\
             [component.a.tool.hull]\nreserve = {{ memory = \"{memory}\", cpu = \"{cpu}\" }}\n\
             [[trigger.http]]\nroute = \"/b\"\ncomponent = \"b\"\n[component.b]\nsource = \"b.wasm\"\n\
             [component.b.tool.hull]\nreserve = {{ memory = \"1MiB\" }}\n"
        );
        App::parse(&text, &Reading::alone("spin.toml")).expect("a manifest")
    }

    #[test]
    fn what_fits_exactly_fits() {
        let totals = Totals { memory: Some(64 * MIB), cpu_percent: 200 };
        assert_eq!(check([&app("63MiB", "200%")].into_iter(), &totals), []);
        let problems = check([&app("64MiB", "201%")].into_iter(), &totals);
        let [memory, cpu] = problems.as_slice() else { panic!("{problems:?}") };
        for part in ["68157440 bytes", "67108864 bytes", "[component.a.tool.hull]", "[component.b.tool.hull]"] {
            assert!(memory.message.contains(part), "{part} in {}", memory.message);
        }
        assert!(cpu.message.contains("201%") && !cpu.message.contains("component.b"), "{}", cpu.message);
    }

    #[test]
    fn all_apps_count_together() {
        let totals = Totals { memory: Some(100 * MIB), cpu_percent: 200 };
        let app = app("60MiB", "0%");
        assert_eq!(check([&app].into_iter(), &totals), []);
        assert_eq!(check([&app, &app].into_iter(), &totals).len(), 1);
    }

    #[test]
    fn the_machine_tells_its_memory() {
        assert_eq!(memory_total("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 * MIB));
        assert_eq!(memory_total("MemFree: 1 kB\n"), None);
        assert!(Totals::of(None, 2).memory.is_some_and(|bytes| bytes > 64 * MIB));
    }
}
