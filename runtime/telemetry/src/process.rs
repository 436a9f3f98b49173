//! What the process itself uses, read from `/proc` whenever the metrics are asked for. Where there is no `/proc`
//! the gauges stay at zero.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntGauge, Opts};

#[derive(Debug)]
pub(crate) struct ProcessCollector {
    resident: IntGauge,
    open_files: IntGauge,
    cpu_seconds: Gauge,
}

impl ProcessCollector {
    #[allow(clippy::expect_used)]
    pub(crate) fn new() -> Self {
        let gauge = |name: &str, help: &str| {
            IntGauge::with_opts(Opts::new(name, help)).expect("metric names are valid constants")
        };
        let cpu = Opts::new("process_cpu_seconds", "CPU time used, user and system.");
        Self {
            resident: gauge("process_resident_memory_bytes", "Memory in use."),
            open_files: gauge("process_open_fds", "Open file descriptors."),
            cpu_seconds: Gauge::with_opts(cpu).expect("metric names are valid constants"),
        }
    }

    fn read(&self) {
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes as i64);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.open_files.set(files.count() as i64);
        }
        if let Some(seconds) = cpu_seconds() {
            self.cpu_seconds.set(seconds);
        }
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        [self.resident.desc(), self.open_files.desc(), self.cpu_seconds.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        [self.resident.collect(), self.open_files.collect(), self.cpu_seconds.collect()].concat()
    }
}

/// `VmRSS` of `/proc/self/status`: in KiB, whatever the size of a page.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// Nanoseconds on a CPU, summed over the threads. `schedstat` of the process has those of its first thread only.
fn cpu_seconds() -> Option<f64> {
    let mut nanoseconds = 0_u64;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let statistics = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).unwrap_or_default();
        let used: Option<u64> = statistics.split(' ').next().and_then(|number| number.parse().ok());
        nanoseconds = nanoseconds.saturating_add(used.unwrap_or(0));
    }
    Some(nanoseconds as f64 / 1e9)
}
