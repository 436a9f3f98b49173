//! Two texts line by line: which lines went and which came, by the longest sequence that both have.

use serde::Serialize;

/// Lines that are compared with each other; where more differ, all of them are told as changed.
const COMPARED_MAX: usize = 3000;

/// A line that only one text has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// Of the older text.
    Gone(String),
    /// Of the newer text.
    New(String),
}

impl Line {
    pub(super) fn sign(&self) -> char {
        match self {
            Self::Gone(_) => '-',
            Self::New(_) => '+',
        }
    }

    pub(super) fn text(&self) -> &str {
        let (Self::Gone(text) | Self::New(text)) = self;
        text
    }
}

/// The lines that differ, in their order.
pub(super) fn changed_lines(old: &str, new: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let (old, new) = (old.get(start..).unwrap_or_default(), new.get(start..).unwrap_or_default());
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(one, other)| one == other).count();
    let old = old.get(..old.len() - end).unwrap_or_default();
    let new = new.get(..new.len() - end).unwrap_or_default();
    let kept = if old.len().max(new.len()) > COMPARED_MAX { Vec::new() } else { common(old, new) };
    let mut lines = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    for (in_old, in_new) in kept.into_iter().chain([(old.len(), new.len())]) {
        lines.extend(old.iter().take(in_old).skip(at_old).map(|&line| Line::Gone(line.to_owned())));
        lines.extend(new.iter().take(in_new).skip(at_new).map(|&line| Line::New(line.to_owned())));
        (at_old, at_new) = (in_old + 1, in_new + 1);
    }
    lines
}

/// The places of the longest common sequence, in both.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    // How much is common from here on.
    let mut lengths = vec![0_u16; (old.len() + 1) * width];
    let at = |lengths: &[u16], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or_default();
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let length = if one == other {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(place) = lengths.get_mut(i * width + j) {
                *place = length;
            }
        }
    }
    let (mut i, mut j, mut places) = (0, 0, Vec::new());
    while let (Some(one), Some(other)) = (old.get(i), new.get(j)) {
        if one == other {
            places.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::changed_lines;

    fn changed(old: &str, new: &str) -> String {
        changed_lines(old, new).iter().map(|line| format!("{}{} ", line.sign(), line.text())).collect()
    }

    #[test]
    fn lines_that_both_have_are_not_told() {
        assert_eq!(changed("a\nb\nc\n", "a\nb\nc\n"), "");
        assert_eq!(changed("a\nb\nc\n", "a\nx\nc\n"), "-b +x ");
        assert_eq!(changed("a\nb\nc\nd\n", "b\nc\ne\nd\nf\n"), "-a +e +f ");
        assert_eq!(changed("", "a\n"), "+a ");
        assert_eq!(changed("a\nb\n", ""), "-a -b ");
    }

    #[test]
    fn taking_the_changes_back_gives_the_older_text() {
        let (old, new) = ("one\ntwo\nthree\nfour\ntwo\nfive", "zero\ntwo\nfour\nfour\nfive\nsix");
        let lines = changed_lines(old, new);
        let gone = lines.iter().filter(|line| line.sign() == '-').count();
        let came = lines.iter().filter(|line| line.sign() == '+').count();
        assert_eq!(old.lines().count() - gone, new.lines().count() - came, "what is left is common");
    }
}
