//! The split of one route between an upstream and a component, so that what is extracted from a monolith takes over
//! share by share.

use std::fmt;
use std::str::FromStr;

use crate::effective::{Entry, Shown};
use crate::header_name::HeaderName;
use crate::name::Name;
use crate::problem::Invalid;
use crate::read::{Item, Setting, TextSetting};
use crate::units::Percent;

/// Who answers on a route that a component has and an upstream still keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSplit {
    /// Who answers the others.
    pub upstream: Name,
    /// The share of users that the component answers.
    pub component: Percent,
    /// Who counts as one user.
    pub by: StickyBy,
}

impl Setting for RouteSplit {
    const WANTED: &'static str = "{ upstream = \"legacy\", component = \"5%\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let upstream = table.required("upstream");
        let component = table.required_at::<Percent>("component");
        let by = table.or("by", StickyBy::Ip);
        table.finish();
        let component = component?;
        if component.value > Percent::new(100) {
            let message = format!("`{}` is {}", table.path_of("component"), component.value);
            table.report.wrong(&component.span, message, "write at most 100%");
        }
        Some(Self { upstream: upstream?, component: component.value, by })
    }

    fn show(&self) -> Shown {
        Shown::Table(vec![
            Entry::new("upstream", self.upstream.show()),
            Entry::new("component", self.component.show()),
            Entry::defaulted("by", &self.by, &StickyBy::Ip),
        ])
    }
}

/// What stays the same for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StickyBy {
    /// The client's address.
    Ip,
    /// The value of that header; the address where there is none.
    Header(HeaderName),
    /// The value of that cookie; the address where there is none.
    Cookie(String),
}

impl FromStr for StickyBy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong =
            || Invalid::new(format!("\"{text}\" is not known"), format!("write {}", <Self as TextSetting>::WANTED));
        match text.split_once(':') {
            None if text == "ip" => Ok(Self::Ip),
            Some(("header", name)) => name.parse().map(Self::Header),
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for StickyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl TextSetting for StickyBy {
    const WANTED: &'static str = "\"ip\", \"header:<name>\" or \"cookie:<name>\"";
}
