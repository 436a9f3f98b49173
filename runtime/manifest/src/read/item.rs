//! A value of the file, with its place and the path of keys that leads to it.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::{Report, Setting, Table};

/// A range of bytes of the file.
pub(crate) type Span = Range<usize>;

/// A value that was read, and where.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A value that is yet to be read.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    pub(crate) value: &'a DeValue<'a>,
    /// Where the value stands.
    pub(crate) span: Span,
    /// `component.orders.source`, for messages.
    pub(crate) path: String,
    pub(crate) report: &'a Report,
}

impl<'a> Item<'a> {
    pub(crate) fn new(value: &'a Spanned<DeValue<'a>>, path: String, report: &'a Report) -> Self {
        Self { value: value.get_ref(), span: value.span(), path, report }
    }

    /// The value as a text.
    pub(crate) fn text(&self, wanted: &str) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.unwanted(wanted);
        }
        text
    }

    /// The value as a table, to be read key by key.
    pub(crate) fn table(&self, wanted: &str) -> Option<Table<'a>> {
        let table = self.value.as_table();
        if table.is_none() {
            self.unwanted(wanted);
        }
        table.map(|entries| Table::new(entries, self.span.clone(), self.path.clone(), self.report))
    }

    /// The elements of an array.
    pub(crate) fn elements(&self, wanted: &str) -> Option<impl Iterator<Item = Item<'a>> + use<'a>> {
        let array = self.value.as_array();
        if array.is_none() {
            self.unwanted(wanted);
        }
        let (path, report) = (self.path.clone(), self.report);
        array.map(|array| array.iter().map(move |value| Item::new(value, path.clone(), report)))
    }

    /// Whether the value is an array with nothing in it.
    pub(crate) fn is_empty_array(&self) -> bool {
        self.value.as_array().is_some_and(|array| array.is_empty())
    }

    /// Read the value, and keep its place.
    pub(crate) fn read_at<T: Setting>(&self) -> Option<At<T>> {
        T::read(self).map(|value| At { value, span: self.span.clone() })
    }

    /// Report that the value has the wrong type.
    pub(crate) fn unwanted(&self, wanted: &str) {
        let article = if matches!(self.value, DeValue::Integer(_) | DeValue::Array(_)) { "an" } else { "a" };
        let message = format!("`{}` is {article} {}", self.path, self.value.type_str());
        self.report.wrong(&self.span, message, format!("write {wanted}"));
    }

    /// Report something about the value.
    pub(crate) fn wrong(&self, message: impl AsRef<str>, remedy: impl Into<String>) {
        self.report.wrong(&self.span, format!("`{}`: {}", self.path, message.as_ref()), remedy);
    }
}
