//! `files`: what a component may read, as Spin has it.

use crate::effective::{Entry, Shown};
use crate::files::check_contained;
use crate::read::{Item, Setting};

/// One entry of `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMount {
    /// Files that match this glob appear in the guest under their own relative paths.
    Glob(String),
    /// A file or directory of the host appears at an absolute path of the guest.
    Placed {
        /// Relative to the manifest.
        source: String,
        /// Absolute, in the guest.
        destination: String,
    },
}

impl Setting for FileMount {
    const WANTED: &'static str = "a glob such as \"assets/**/*\" or { source = \"assets\", destination = \"/\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let invalid = |item: &Item<'_>, path: &str| {
            check_contained(path).map_err(|invalid| item.report.invalid(&item.span, &item.path, invalid)).ok()
        };
        if let Some(glob) = item.value.as_str() {
            invalid(item, glob)?;
            return Some(Self::Glob(glob.to_owned()));
        }
        let table = item.table(Self::WANTED)?;
        let source = table.required_at::<String>("source");
        let destination = table.required_at::<String>("destination");
        table.finish();
        let (source, destination) = (source?, destination?);
        if source.value.is_empty() {
            table.report.wrong(&source.span, format!("`{}.source` is empty", table.path), "write a path");
        }
        let absolute = destination.value.starts_with('/');
        if !absolute || destination.value.split('/').any(|part| part == "..") || destination.value.contains('\0') {
            let message = format!("`{}.destination`: \"{}\" is not an absolute path", table.path, destination.value);
            table.report.wrong(&destination.span, message, "write a path of the guest such as \"/assets\", without ..");
        }
        Some(Self::Placed { source: source.value, destination: destination.value })
    }

    fn show(&self) -> Shown {
        match self {
            Self::Glob(glob) => glob.show(),
            Self::Placed { source, destination } => {
                Shown::Table(vec![Entry::new("source", source.show()), Entry::new("destination", destination.show())])
            }
        }
    }
}
