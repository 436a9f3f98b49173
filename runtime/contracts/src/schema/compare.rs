//! Whether whatever one schema admits is admitted by another one; else what is not, and where. What cannot be told within
//! a bound counts as not admitted: whoever deploys can look at it and go on by force.

mod alike;
mod object;
mod values;

use std::collections::BTreeSet;

use super::check::{cut, list};
use super::number::{Range, is_multiple};
use super::{At, Choice, Count, Schemas, Shape, Steps, Types};
use crate::finding::{Change, Rule};

/// Steps of one comparison; some hundred milliseconds.
const STEPS_MAX: u64 = 5_000_000;
/// Steps for each member of a set of schemas that is kept.
const SET_STEPS: u64 = 50;
/// How deep schemas may lead into each other.
const DEPTH_MAX: u32 = 64;
/// Findings of one comparison.
const CHANGES_MAX: usize = 100;

/// Whose eyes a comparison is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What was promised to readers, against what they get: fields that they do not know do not disturb them.
    Response,
    /// What is accepted, against what is sent.
    Request,
    /// What a handler accepts, against what is published.
    Event,
}

/// What is sent that is not covered: `covering` is what admits, `sent` what comes. It draws on the steps of all
/// comparisons.
pub(crate) fn compare(
    (covering, covering_root): (&Schemas, At),
    (sent, sent_root): (&Schemas, At),
    direction: Direction,
    field: &str,
    steps: &Steps,
) -> Vec<Change> {
    let steps_max = steps.left().min(STEPS_MAX);
    let mut comparing = Comparing {
        covering,
        sent,
        direction,
        steps_left: steps_max,
        depth: 0,
        assumed: BTreeSet::new(),
        changes: BTreeSet::new(),
    };
    comparing.covers(covering_root, &Conjunction::of(sent_root), field);
    if comparing.steps_left == 0 {
        comparing.found(field, Difference::Unclear, "the schemas are too large to be compared");
    }
    steps.take(steps_max - comparing.steps_left);
    comparing.changes.into_iter().collect()
}

/// Schemas that all hold, and the choices among them that are settled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Conjunction {
    all: BTreeSet<At>,
    settled: BTreeSet<(At, usize)>,
}

impl Conjunction {
    pub(super) fn of(at: At) -> Self {
        Self { all: [at].into(), settled: BTreeSet::new() }
    }

    fn steps(&self) -> u64 {
        (1 + self.all.len() + self.settled.len()) as u64 * SET_STEPS
    }
}

/// How what is sent differs from what is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    Missing,
    Optional,
    Type,
    Value,
    Range,
    Extra,
    Unclear,
}

impl Difference {
    fn rule(self, direction: Direction) -> Rule {
        let is_request = direction == Direction::Request;
        match self {
            Self::Missing | Self::Optional if is_request => Rule::FieldRequired,
            Self::Missing => Rule::FieldRemoved,
            Self::Optional => Rule::FieldOptional,
            Self::Type => [Rule::TypeWidened, Rule::TypeNarrowed][usize::from(is_request)],
            Self::Value => [Rule::ValueAdded, Rule::ValueRemoved][usize::from(is_request)],
            Self::Range => [Rule::RangeWidened, Rule::RangeNarrowed][usize::from(is_request)],
            Self::Extra => Rule::FieldRefused,
            Self::Unclear => Rule::NotComparable,
        }
    }
}

struct Comparing<'s> {
    covering: &'s Schemas,
    sent: &'s Schemas,
    direction: Direction,
    steps_left: u64,
    depth: u32,
    /// Pairs that are being looked at: schemas may refer to themselves.
    assumed: BTreeSet<(At, Conjunction)>,
    changes: BTreeSet<Change>,
}

impl<'s> Comparing<'s> {
    fn found(&mut self, path: &str, difference: Difference, detail: impl Into<String>) {
        if self.changes.len() < CHANGES_MAX {
            self.changes.insert(Change::new(path, difference.rule(self.direction), detail));
        }
    }

    /// Whether there are steps left after these.
    fn spend(&mut self, steps: u64) -> bool {
        self.steps_left = self.steps_left.saturating_sub(steps);
        self.steps_left > 0
    }

    fn covers(&mut self, covering: At, sent: &Conjunction, path: &str) {
        if !self.spend(sent.steps() + path.len() as u64) {
            return;
        }
        let key = (covering, sent.clone());
        if self.depth >= DEPTH_MAX {
            return self.found(path, Difference::Unclear, "the schemas nest too deep to be compared");
        }
        if !self.assumed.insert(key.clone()) {
            return;
        }
        self.depth += 1;
        self.settled(covering, sent, path);
        self.depth -= 1;
        self.assumed.remove(&key);
    }

    /// What is sent is one of its alternatives: each of them must be admitted.
    fn settled(&mut self, covering: At, sent: &Conjunction, path: &str) {
        let sent = self.closed(sent);
        let shapes = self.shapes(&sent);
        let choices: usize = shapes.iter().map(|(_, shape)| shape.choices.len()).sum();
        if !self.spend(sent.steps() + choices as u64) {
            return;
        }
        let open = shapes.iter().find_map(|(at, shape)| {
            let place = (0..shape.choices.len()).find(|n| !sent.settled.contains(&(*at, *n)))?;
            shape.choices.get(place).map(|choice| ((*at, place), choice))
        });
        let Some((place, choice)) = open else { return self.one(covering, &sent, path) };
        for alternative in &choice.of {
            if self.steps_left == 0 {
                return;
            }
            let mut chosen = sent.clone();
            chosen.settled.insert(place);
            chosen.all.insert(*alternative);
            self.covers(covering, &chosen, path);
        }
    }

    /// With everything that its members refer to.
    fn closed(&self, sent: &Conjunction) -> Conjunction {
        let mut closed = sent.clone();
        let mut next: Vec<At> = closed.all.iter().copied().collect();
        while let Some(at) = next.pop() {
            let all = self.sent.shape(at).map(|shape| shape.all.as_slice()).unwrap_or_default();
            next.extend(all.iter().filter(|at| closed.all.insert(**at)));
        }
        closed
    }

    fn shapes(&self, sent: &Conjunction) -> Vec<(At, &'s Shape)> {
        let schemas = self.sent;
        sent.all.iter().filter_map(|at| Some((*at, schemas.shape(*at)?))).collect()
    }

    fn one(&mut self, at: At, sent: &Conjunction, path: &str) {
        let schemas = self.covering;
        let Some(covering) = schemas.shape(at) else { return };
        let shapes = self.shapes(sent);
        let types = shapes.iter().fold(Types::ALL, |types, (_, shape)| types.and(shape.types));
        let named = 1 + covering.required.len() + covering.properties.len();
        let looked: usize = shapes.iter().map(|(_, shape)| named + shape.properties.len()).sum();
        if !self.spend(looked as u64) {
            return;
        }
        for part in &covering.all {
            self.covers(*part, sent, path);
        }
        if let Some(values) = self.values_of(&shapes, types) {
            return self.each_value(at, covering, &values, path);
        }
        let foreign = types.without(covering.types);
        if foreign != Types::NONE {
            self.found(path, Difference::Type, format!("it may be {types}, and {} is expected", covering.types));
        }
        let types = types.and(covering.types);
        if let Some(values) = &covering.values
            && types != Types::NONE
        {
            let detail = format!("it may be any {types}, and one of {} is expected", list(values));
            self.found(path, Difference::Value, detail);
        }
        if types.meets(Types::OBJECT) {
            self.object(covering, &shapes, path);
        }
        if types.meets(Types::ARRAY) {
            self.array(covering, &shapes, path);
        }
        if types.meets(Types::STRING) {
            self.text(covering, &shapes, path);
        }
        if types.meets(Types::NUMBER) {
            self.number(covering, &shapes, path);
        }
        for choice in &covering.choices {
            self.choice(choice, sent, path);
        }
        if let Some(not) = covering.not {
            self.not(not, &shapes, path);
        }
    }

    fn array(&mut self, covering: &Shape, shapes: &[(At, &Shape)], path: &str) {
        let length = shapes.iter().fold(Count::default(), |count, (_, shape)| count.both(shape.length));
        if !covering.length.covers(length) {
            let detail = format!("it may have {length} items, and {} are expected", covering.length);
            self.found(path, Difference::Range, detail);
        }
        if covering.unique && !shapes.iter().any(|(_, shape)| shape.unique) {
            self.found(path, Difference::Range, "it may have an item twice");
        }
        let Some(items) = covering.items else { return };
        let sent: BTreeSet<At> = shapes.iter().filter_map(|(_, shape)| shape.items).collect();
        let path = format!("{path}[]");
        if sent.is_empty() {
            let is_anything = self.covering.shape(items).is_some_and(|shape| shape.types == Types::ALL);
            if !is_anything && length.most != Some(0) {
                self.found(&path, Difference::Type, "it may be anything");
            }
            return;
        }
        self.covers(items, &Conjunction { all: sent, settled: BTreeSet::new() }, &path);
    }

    fn text(&mut self, covering: &Shape, shapes: &[(At, &Shape)], path: &str) {
        let length = shapes.iter().fold(Count::default(), |count, (_, shape)| count.both(shape.text));
        if !covering.text.covers(length) {
            let detail = format!("it may have {length} characters, and {} are expected", covering.text);
            self.found(path, Difference::Range, detail);
        }
        let Some(pattern) = &covering.pattern else { return };
        let same = |shape: &Shape| shape.pattern.as_ref().is_some_and(|sent| sent.as_str() == pattern.as_str());
        if !shapes.iter().any(|(_, shape)| same(shape)) {
            let detail = format!("it may be a text that does not match {:?}", cut(pattern.as_str()));
            self.found(path, Difference::Value, detail);
        }
    }

    fn number(&mut self, covering: &Shape, shapes: &[(At, &Shape)], path: &str) {
        let range = shapes.iter().fold(Range::default(), |range, (_, shape)| range.both(shape.range));
        if !covering.range.covers(range) {
            self.found(path, Difference::Range, format!("it may be {range}, and {} is expected", covering.range));
        }
        let Some(of) = covering.multiple_of else { return };
        let is_whole = |shape: &Shape| {
            let integer = of.fract() == 0.0 && is_multiple(1.0, of) && !shape.types.has(Types::NUMBER);
            integer || shape.multiple_of.is_some_and(|sent| is_multiple(sent, of))
        };
        if !shapes.iter().any(|(_, shape)| is_whole(shape)) {
            self.found(path, Difference::Range, format!("it may be no multiple of {of}"));
        }
    }

    /// One alternative must admit all of it.
    fn choice(&mut self, choice: &Choice, sent: &Conjunction, path: &str) {
        let mut nearest: Option<BTreeSet<Change>> = None;
        for alternative in &choice.of {
            let changes = self.tried(|trial| trial.covers(*alternative, sent, path));
            if changes.is_empty() {
                return;
            }
            if nearest.as_ref().is_none_or(|before| changes.len() < before.len()) {
                nearest = Some(changes);
            }
        }
        match nearest {
            Some(changes) if choice.of.len() == 1 => self.changes.extend(changes),
            Some(changes) => {
                let near = changes.first().map(Change::to_string).unwrap_or_default();
                let detail =
                    format!("it may be none of the {} kinds that are expected; the nearest: {near}", choice.of.len());
                self.found(path, Difference::Type, detail);
            }
            None => {}
        }
    }

    fn tried(&mut self, work: impl FnOnce(&mut Self)) -> BTreeSet<Change> {
        let before = std::mem::take(&mut self.changes);
        work(self);
        std::mem::replace(&mut self.changes, before)
    }
}
