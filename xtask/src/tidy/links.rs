//! Links between the docs lead somewhere: the file is there, and so is the heading.

use super::tree::{File, Tree};

/// Relative links in Markdown that lead nowhere.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.files().iter().filter(|file| file.is("md")).flat_map(|file| check_file(file, tree)).collect()
}

fn check_file(file: &File, tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (line, target) in links(&file.text) {
        let external = target.contains("://") || target.starts_with("mailto:");
        if external {
            continue;
        }
        let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
        let resolved = if path.is_empty() { Some(file.path.clone()) } else { resolve(&file.path, path) };
        let Some(resolved) = resolved.filter(|resolved| tree.holds(resolved)) else {
            violations.push(format!("{}:{line}: the link to `{target}` leads nowhere", file.path));
            continue;
        };
        let text = tree.text(&resolved).filter(|_| has_headings(&resolved));
        if let (Some(anchor), Some(text)) = (anchor, text)
            && !anchors(text).iter().any(|known| known == anchor)
        {
            violations.push(format!("{}:{line}: {resolved} has no heading `#{anchor}`", file.path));
        }
    }
    violations
}

fn has_headings(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "md")
}

/// Where a relative link leads, below the root; `None` if it leads out of the project.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Lines outside of code fences, from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// `[text](target)` and `[label]: target`, outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Every second piece stands between backticks.
        for piece in line.split('`').step_by(2) {
            let inline = piece.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            found.extend(inline.map(|target| (number, target)));
        }
        // A link's text may itself be code: `](` then follows the backtick, which the pieces above keep.
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.extend(target.split(' ').next().map(|target| (number, target)));
        }
    }
    found
}

/// The anchors that hosting sites make of headings: lower case, spaces to hyphens, punctuation dropped, and a
/// number from the second of a name on.
fn anchors(text: &str) -> Vec<String> {
    let mut made: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug = |character: char| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ if character.is_alphanumeric() => Some(character),
            _ => None,
        };
        let base: String = title.trim().to_lowercase().chars().filter_map(slug).collect();
        let numbered = (1..).map(|number| format!("{base}-{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !made.contains(name));
        made.extend(free);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::{anchors, check};
    use crate::tidy::tree::Tree;

    fn violations(text: &str) -> Vec<String> {
        let other = "# The Way, of an *invocation*\n## Twice\n## Twice\n";
        check(&Tree::of(&[("docs/a.md", text), ("docs/guide/b.md", other), ("README.md", "# R")]))
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let good = "# Own heading\n[b](guide/b.md) [`code`](../README.md#r) [folder](guide) [own](#own-heading)\n\
                    [h](guide/b.md#the-way-of-an-invocation) [x](https://example.com/#y) [t](guide/b.md#twice-1)\n\
                    [ref]: guide/b.md\n";
        assert_eq!(violations(good), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_fail() {
        for bad in ["[b](b.md)", "[b](guide/c.md \"title\")", "[out](../../x.md)", "[ref]: gone.md", "[`c`](gone.md)"] {
            assert!(violations(bad)[0].contains("leads nowhere"), "{bad}");
        }
        for bad in ["[b](guide/b.md#none)", "[own](#none)"] {
            assert!(violations(bad)[0].contains("no heading"), "{bad}");
        }
    }

    #[test]
    fn code_is_not_a_link() {
        assert_eq!(violations("`[b](gone.md)`\n```\n[b](gone.md)\n# no heading\n```\n"), Vec::<String>::new());
        assert!(anchors("```\n# no heading\n```").is_empty());
    }
}
