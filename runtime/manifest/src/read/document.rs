//! A whole file: its syntax first, then its root table in the hands of the caller.

use toml::de::DeTable;

use super::{Report, Table};
use crate::problem::Problems;

/// The largest manifest that is read, in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Read a file with `read`, which gets the root table. What it returns counts only if nothing was reported.
pub(crate) fn read_document<T>(
    file: &str,
    text: &str,
    read: impl FnOnce(&Table<'_>) -> Option<T>,
) -> Result<T, Problems> {
    let report = Report::default();
    let value = if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes", text.len());
        report.wrong(&(0..0), message, format!("a manifest may have {FILE_BYTES_MAX} bytes"));
        None
    } else {
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            report.syntax(&error.span().unwrap_or(0..0), error.message());
        }
        let table = Table::root(root.get_ref(), &report);
        read(&table)
    };
    let problems = report.into_problems(file, text);
    match value {
        Some(value) if problems.problems.is_empty() => Ok(value),
        _ => Err(problems),
    }
}
