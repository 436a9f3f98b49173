//! What came of each example, for people and for programs.

use std::fmt::Write as _;

use hull_contracts::{Compared, Interaction};
use serde::Serialize;

use super::Suite;
use crate::terminal::harmless;

/// What came of one example.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    consumer: String,
    provider: String,
    interaction: String,
    request: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Field {
    field: String,
    expected: String,
    found: String,
    fits: bool,
}

const GOOD: &str = "verified";
const LEFT_OUT: &str = "left out";
const BROKEN: &str = "broken";

impl Outcome {
    fn new(suite: &Suite, interaction: &Interaction, outcome: &'static str, why: &str) -> Self {
        Self {
            consumer: suite.consumer.clone(),
            provider: suite.provider.to_string(),
            interaction: interaction.description.clone(),
            request: format!("{} {}", interaction.request.method, interaction.request.target()),
            outcome,
            why: why.to_owned(),
            fields: Vec::new(),
        }
    }

    /// It was not asked.
    pub(super) fn left_out(suite: &Suite, interaction: &Interaction, why: &str) -> Self {
        Self::new(suite, interaction, LEFT_OUT, why)
    }

    /// There was nothing to compare.
    pub(super) fn failed(suite: &Suite, interaction: &Interaction, why: &str) -> Self {
        Self::new(suite, interaction, BROKEN, why)
    }

    /// There was an answer.
    pub(super) fn compared(suite: &Suite, interaction: &Interaction, compared: Vec<Compared>) -> Self {
        let outcome = if compared.iter().all(|line| line.fits) { GOOD } else { BROKEN };
        let field = |Compared { field, expected, found, fits }| Field { field, expected, found, fits };
        let fields = compared.into_iter().map(field).collect();
        Self { fields, ..Self::new(suite, interaction, outcome, "") }
    }

    /// Whether nothing speaks against the version.
    pub(super) fn is_good(&self) -> bool {
        self.outcome != BROKEN
    }
}

/// Each example with its fields, and what it comes to.
pub(super) fn render(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let Outcome { consumer, provider, interaction, request, outcome: came, why, fields } = outcome;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{consumer} relies on {provider}: {}: {came}", harmless(interaction));
        let _ = writeln!(text, "  {}", harmless(request));
        if !why.is_empty() {
            let _ = writeln!(text, "  {}", harmless(why));
        }
        for Field { field, expected, found, fits } in fields {
            let (mark, found) = (if *fits { "ok  " } else { "NOT " }, harmless(found));
            let _ = writeln!(text, "  {mark} {}: {found}, {} is relied on", harmless(field), harmless(expected));
        }
    }
    let count = |came: &str| outcomes.iter().filter(|outcome| outcome.outcome == came).count();
    let _ = writeln!(text, "{} verified, {} broken, {} left out", count(GOOD), count(BROKEN), count(LEFT_OUT));
    text
}
