//! The hello components, and copies of them that differ in their bytes: equal ones would share their code, and a
//! host of a thousand equal components tells nothing about a thousand.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Built components, below the project's root.
const BUILT: &str = "components/target/wasm32-wasip2/release";
/// And the guests that only tests need.
const TEST_GUESTS: &str = "tests/guests/target/wasm32-wasip2/release";

/// The file of a built component, as an absolute path.
pub(crate) fn built(name: &str) -> anyhow::Result<PathBuf> {
    found(&Path::new(BUILT).join(format!("{name}.wasm")))
}

/// The file of a built test guest, likewise.
pub(crate) fn test_guest(name: &str) -> anyhow::Result<PathBuf> {
    found(&Path::new(TEST_GUESTS).join(format!("{name}.wasm")))
}

fn found(file: &Path) -> anyhow::Result<PathBuf> {
    if !file.is_file() {
        bail!("{} is missing; run this as `cargo xtask bench`, which builds it", file.display());
    }
    std::path::absolute(file).context("the current folder has no path")
}

/// The component with a custom section at its end that holds `number`; it means nothing to anyone.
pub(crate) fn numbered(component: &[u8], number: u32) -> Vec<u8> {
    const NAME: &[u8] = b"copy";
    let mut section = vec![NAME.len() as u8];
    section.extend(NAME);
    section.extend(number.to_le_bytes());
    // Section 0 is custom; lengths below 128 are one byte.
    [component, &[0, section.len() as u8], &section].concat()
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn a_copy_ends_in_a_custom_section() {
        let copy = numbered(b"component", 258);
        assert_eq!(copy, b"component\x00\x09\x04copy\x02\x01\x00\x00");
        assert_ne!(copy, numbered(b"component", 259));
    }
}
