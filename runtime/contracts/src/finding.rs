//! What a comparison finds: who relies on it, which field, and by which rule it would break them.

use std::fmt;

/// Why a change breaks somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The provider is no component of the app any more.
    ProviderRemoved,
    /// The provider no longer says what its routes give.
    ContractRemoved,
    /// The route is gone.
    RouteRemoved,
    /// The status is not given any more.
    StatusRemoved,
    /// The media type is gone.
    MediaTypeRemoved,
    /// A parameter must be sent now.
    ParameterRequired,
    /// A body must be sent now.
    BodyRequired,
    /// What is received lacks the field.
    FieldRemoved,
    /// What is received may lack the field.
    FieldOptional,
    /// What is received may be of another type.
    TypeWidened,
    /// What is received may have a value that was not foreseen.
    ValueAdded,
    /// What is received may lie outside of the bounds.
    RangeWidened,
    /// A field must be sent now.
    FieldRequired,
    /// A field that is sent is refused now.
    FieldRefused,
    /// A type that is sent is refused now.
    TypeNarrowed,
    /// A value that is sent is refused now.
    ValueRemoved,
    /// What is sent may lie outside of the bounds now.
    RangeNarrowed,
    /// Nobody says any more what the event is like.
    EventRemoved,
    /// Nothing can be said about it.
    NotComparable,
}

impl Rule {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProviderRemoved => "provider-removed",
            Self::ContractRemoved => "contract-removed",
            Self::RouteRemoved => "route-removed",
            Self::StatusRemoved => "status-removed",
            Self::MediaTypeRemoved => "media-type-removed",
            Self::ParameterRequired => "parameter-required",
            Self::BodyRequired => "body-required",
            Self::FieldRemoved => "field-removed",
            Self::FieldOptional => "field-optional",
            Self::TypeWidened => "type-widened",
            Self::ValueAdded => "value-added",
            Self::RangeWidened => "range-widened",
            Self::FieldRequired => "field-required",
            Self::FieldRefused => "field-refused",
            Self::TypeNarrowed => "type-narrowed",
            Self::ValueRemoved => "value-removed",
            Self::RangeNarrowed => "range-narrowed",
            Self::EventRemoved => "event-removed",
            Self::NotComparable => "not-comparable",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change that breaks whoever relies on the field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Where: a route with a status and a path into the body, or a subject and a path into the payload.
    pub field: String,
    /// By which rule.
    pub rule: Rule,
    /// What it is about, for people.
    pub detail: String,
}

impl Change {
    pub(crate) fn new(field: impl Into<String>, rule: Rule, detail: impl Into<String>) -> Self {
        Self { field: field.into(), rule, detail: detail.into() }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.field, self.rule, self.detail)
    }
}

/// Somebody who would be broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Who relies on it.
    pub consumer: String,
    /// Whose contract it is.
    pub provider: String,
    /// What would break them.
    pub change: Change,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} relies on {}: {}", self.consumer, self.provider, self.change)
    }
}
