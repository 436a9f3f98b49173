//! What some schemas together promise to whoever reads a value that fits them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{At, Checking, Schemas, Shape, Steps, Types};

/// Schemas that are looked at for one value.
const SHAPES_MAX: usize = 200;
/// Steps for each of them.
const PROMISE_STEPS: u64 = 20;

/// What holds for every value: each member is a schema that holds, and choices are kept as they are.
pub(crate) struct Promise<'s> {
    schemas: &'s Schemas,
    all: Vec<&'s Shape>,
}

impl<'s> Promise<'s> {
    pub(crate) fn of(schemas: &'s Schemas, ats: &[At]) -> Self {
        let (mut seen, mut next, mut all) = (BTreeSet::new(), ats.to_vec(), Vec::new());
        while let Some(at) = next.pop() {
            if all.len() < SHAPES_MAX
                && seen.insert(at)
                && let Some(shape) = schemas.shape(at)
            {
                all.push(shape);
                next.extend(&shape.all);
            }
        }
        Self { schemas, all }
    }

    /// What it takes to look at it once.
    pub(crate) fn steps(&self) -> u64 {
        let chosen: usize = self.all.iter().flat_map(|shape| &shape.choices).map(|choice| choice.of.len()).sum();
        (1 + self.all.len() + chosen) as u64 * PROMISE_STEPS
    }

    /// What it may be.
    pub(crate) fn types(&self) -> Types {
        self.all.iter().fold(Types::ALL, |types, shape| types.and(self.types_of(shape)))
    }

    fn types_of(&self, shape: &Shape) -> Types {
        let listed = shape.values.as_ref().map(|values| values.iter().map(Types::of).fold(Types::NONE, Types::or));
        let types = shape.types.and(listed.unwrap_or(Types::ALL));
        shape.choices.iter().fold(types, |types, choice| {
            let any = choice.of.iter().map(|at| Promise::of(self.schemas, &[*at]));
            types.and(any.map(|promise| promise.plain_types()).fold(Types::NONE, Types::or))
        })
    }

    /// Without a look into further choices, so that schemas that refer to themselves come to an end.
    fn plain_types(&self) -> Types {
        self.all.iter().fold(Types::ALL, |types, shape| types.and(shape.types))
    }

    /// The schemas of a field; none where nothing is said of it.
    pub(crate) fn property(&self, name: &str) -> Vec<At> {
        let named = |shape: &&'s Shape| shape.properties.get(name).copied();
        let direct = self.all.iter().filter_map(named);
        direct.chain(self.chosen().iter().filter_map(|alternative| alternative.all.iter().find_map(named))).collect()
    }

    /// Whether a field is always there.
    pub(crate) fn requires(&self, name: &str) -> bool {
        let plainly = |promise: &Promise<'_>| promise.all.iter().any(|shape| shape.required.contains(name));
        let in_each = |shape: &&Shape| {
            shape.choices.iter().any(|choice| choice.of.iter().all(|at| plainly(&Promise::of(self.schemas, &[*at]))))
        };
        plainly(self) || self.all.iter().any(in_each)
    }

    /// The schemas of the items.
    pub(crate) fn items(&self) -> Vec<At> {
        self.all.iter().filter_map(|shape| shape.items).collect()
    }

    /// Whether it may be this value.
    pub(crate) fn admits(&self, value: &Value, steps: &Steps) -> bool {
        self.all.iter().all(|shape| {
            let mut checking = Checking::within(self.schemas, steps.left());
            let fits = checking.fits_shape(shape, value);
            steps.take(checking.spent());
            fits
        })
    }

    fn chosen(&self) -> Vec<Promise<'s>> {
        let alternatives = self.all.iter().flat_map(|shape| &shape.choices).flat_map(|choice| &choice.of);
        alternatives.take(SHAPES_MAX).map(|at| Promise::of(self.schemas, &[*at])).collect()
    }
}
