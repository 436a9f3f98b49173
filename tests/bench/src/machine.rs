//! Says what a measurement was taken on: figures without their machine mean nothing to the next reader.

/// Processor, cores and kernel, in one line.
pub(crate) fn describe() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok();
    let processor = processor.as_deref().and_then(processor_name).unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{processor}, {cores} cores, Linux {}", kernel.trim())
}

fn processor_name(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::processor_name;

    #[test]
    fn the_processor_is_found() {
        let text = "processor\t: 0\nmodel name\t: An Example 9000\nmodel name\t: other\n";
        assert_eq!(processor_name(text), Some("An Example 9000"));
        assert_eq!(processor_name("processor\t: 0\n"), None);
    }
}
