//! Whether two schemas say the same word for word. Of a `not` nothing else is asked: what its opposite covers cannot be
//! told by the rules by which schemas are compared.

use std::collections::BTreeSet;
use std::mem::discriminant;

use super::super::{At, Rest, Shape};
use super::{Comparing, Difference, SET_STEPS};

impl Comparing<'_> {
    /// What must not be sent must be what is never sent.
    pub(super) fn not(&mut self, not: At, shapes: &[(At, &Shape)], path: &str) {
        let is_excluded = shapes.iter().filter_map(|(_, shape)| shape.not).any(|never| self.is_alike(not, never));
        if !is_excluded {
            self.found(path, Difference::Unclear, "it says with `not` what is refused, and that may be sent");
        }
    }

    /// Schemas that refer to themselves are alike where no difference is found.
    fn is_alike(&mut self, covering: At, sent: At) -> bool {
        let (all, all_sent) = (self.covering, self.sent);
        let (mut seen, mut next) = (BTreeSet::new(), vec![(covering, sent)]);
        while let Some((covering, sent)) = next.pop() {
            if !seen.insert((covering, sent)) {
                continue;
            }
            let (Some(covering), Some(sent)) = (all.shape(covering), all_sent.shape(sent)) else { return false };
            if !self.spend(size(covering) * SET_STEPS) || !says_the_same(covering, sent) {
                return false;
            }
            next.extend(parts(covering).zip(parts(sent)));
        }
        true
    }
}

fn size(shape: &Shape) -> u64 {
    let values = shape.values.as_ref().map_or(0, Vec::len);
    (1 + values + shape.required.len() + parts(shape).count()) as u64
}

/// The schemas that it is made of, in the order of what [`says_the_same`] compares.
fn parts(shape: &Shape) -> impl Iterator<Item = At> {
    let rest = if let Rest::Like(at) = shape.rest { Some(at) } else { None };
    let chosen = shape.choices.iter().flat_map(|choice| &choice.of);
    let listed = shape.properties.values().chain(&shape.all).chain(chosen).copied();
    listed.chain(rest).chain(shape.items).chain(shape.not)
}

/// All but their parts.
fn says_the_same(a: &Shape, b: &Shape) -> bool {
    let pattern = |shape: &Shape| shape.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
    let choices = |shape: &Shape| -> Vec<(usize, bool)> {
        shape.choices.iter().map(|choice| (choice.of.len(), choice.exactly_one)).collect()
    };
    a.types == b.types
        && a.values == b.values
        && a.properties.keys().eq(b.properties.keys())
        && a.required == b.required
        && discriminant(&a.rest) == discriminant(&b.rest)
        && (a.members, a.length, a.unique, a.text) == (b.members, b.length, b.unique, b.text)
        && pattern(a) == pattern(b)
        && a.range == b.range
        && a.multiple_of.map(f64::to_bits) == b.multiple_of.map(f64::to_bits)
        && (a.items.is_some(), a.all.len(), a.not.is_some()) == (b.items.is_some(), b.all.len(), b.not.is_some())
        && choices(a) == choices(b)
}
