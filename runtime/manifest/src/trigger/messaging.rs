//! `[[trigger.messaging]]`: subjects, and the component that handles their events.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::application::Components;
use crate::bulkhead::at_least_one;
use crate::name::Name;
use crate::read::{Item, Setting, Span, settings, words};
use crate::subjects::SubjectPattern;
use crate::trigger::{TriggerDraft, read_id};

/// The most patterns that one trigger may have: each becomes a consumer.
const SUBJECTS_MAX: usize = 64;

/// Subjects, and the component that handles their events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagingTrigger {
    /// Spin's optional id.
    pub id: Option<String>,
    /// Who handles them.
    pub component: Name,
    /// At least one; no two of one component overlap.
    pub subjects: Vec<SubjectPattern>,
    /// How they are delivered.
    pub delivery: Delivery,
}

settings! {
    /// How events are delivered to a handler.
    pub struct Delivery {
        /// After so many attempts an event goes to the dead letters.
        "max-deliver" max_deliver: NonZeroU32 = at_least_one(5), within ..=at_least_one(1000);
        /// The delay before each further attempt; the last one is repeated.
        "backoff" backoff: Vec<Duration> =
            vec![Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(10)];
        /// How long the bus waits for an answer or a sign of life.
        "ack-wait" ack_wait: Duration = Duration::from_secs(30);
        /// One at a time, in order: a failing event blocks those behind it.
        "ordered" ordered: bool = false;
        /// Where a new consumer starts.
        "start" start: Start = Start::All;
    }
}

words! {
    /// Where a new consumer starts.
    pub enum Start, "\"all\" or \"new\"" {
        /// With the oldest event that the bus retains.
        All = "all",
        /// With the next event.
        New = "new",
    }
}

/// Read one trigger, and the component that may be written in it.
pub(crate) fn read_messaging_trigger(
    item: &Item<'_>,
    components: &mut Components<'_>,
) -> Option<TriggerDraft<MessagingTrigger>> {
    let table = item.table("a trigger")?;
    let id = read_id(&table);
    let component = table.required_item("component", "\"a component's name\"");
    let subjects = table.required_item("subjects", "[\"orders.*\"]");
    let delivery = Delivery::read_from(&table);
    if let Some(backoff) = table.get("backoff").filter(Item::is_empty_array) {
        backoff.wrong("there is no delay in it", "write delays such as [\"100ms\", \"1s\"]");
    }
    table.finish();
    let component = component.and_then(|item| components.of_trigger(&item, id.as_deref()));
    let (subjects, places) = read_subjects(&subjects?)?;
    let trigger = MessagingTrigger { id, component: component?, subjects, delivery };
    Some(TriggerDraft { trigger, matches_at: places })
}

fn read_subjects(item: &Item<'_>) -> Option<(Vec<SubjectPattern>, Vec<Span>)> {
    let elements: Vec<Item<'_>> = item.elements("[\"orders.*\"]")?.collect();
    if elements.is_empty() || elements.len() > SUBJECTS_MAX {
        item.wrong(format!("there are {} subjects", elements.len()), format!("write 1 to {SUBJECTS_MAX} subjects"));
    }
    let read = |item: &Item<'_>| SubjectPattern::read(item).map(|pattern| (pattern, item.span.clone()));
    Some(elements.iter().filter_map(read).unzip())
}
