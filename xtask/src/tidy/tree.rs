//! The project's text files, read once for all checks.

use std::path::Path;

use anyhow::Context as _;

/// One text file.
pub(super) struct File {
    /// Below the root, with `/`.
    pub(super) path: String,
    /// The whole content.
    pub(super) text: String,
}

impl File {
    /// Whether the name ends in `.extension`.
    pub(super) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|has| has == extension)
    }
}

/// Every text file of the project and the path of every other.
#[derive(Default)]
pub(super) struct Tree {
    files: Vec<File>,
    others: Vec<String>,
}

impl Tree {
    /// All text files.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The content of one text file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Whether there is a file, or a folder with a file in it, of this path.
    pub(super) fn holds(&self, path: &str) -> bool {
        let within = |candidate: &str| {
            let rest = candidate.strip_prefix(path);
            path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.files.iter().map(|file| &file.path).chain(&self.others).any(|candidate| within(candidate))
    }

    /// A tree of samples.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File { path: path.to_owned(), text: text.to_owned() };
        Self { files: files.iter().map(file).collect(), others: Vec::new() }
    }
}

/// What is built or kept by programs, not written by people.
const SKIPPED: [&str; 4] = ["target", ".git", ".hull", "node_modules"];
/// Written by cargo and read by nobody.
const SKIPPED_FILES: [&str; 1] = ["Cargo.lock"];
/// Larger files are data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Read everything below `root`.
pub(super) fn read(root: &Path) -> anyhow::Result<Tree> {
    let mut tree = Tree::default();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() && !SKIPPED_FILES.contains(&name.as_str()) {
                let path = super::shown(&entry.path(), root);
                match read_text(&entry.path())? {
                    Some(text) => tree.files.push(File { path, text }),
                    None => tree.others.push(path),
                }
            }
        }
    }
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(tree)
}

fn read_text(path: &Path) -> anyhow::Result<Option<String>> {
    let unreadable = || format!("cannot read {}", path.display());
    if std::fs::metadata(path).with_context(unreadable)?.len() > TEXT_BYTES_MAX {
        return Ok(None);
    }
    let bytes = std::fs::read(path).with_context(unreadable)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn folders_are_there_through_their_files() {
        let tree = Tree::of(&[("docs/guide/a.md", "")]);
        for there in ["docs/guide/a.md", "docs/guide", "docs", ""] {
            assert!(tree.holds(there), "{there}");
        }
        for absent in ["docs/guide/a", "doc", "guide"] {
            assert!(!tree.holds(absent), "{absent}");
        }
    }
}
