//! A table that is read key by key, and knows in the end which keys nobody asked for.

use std::cell::RefCell;
use std::ops::RangeBounds;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{At, Item, Report, Setting, Span, did_you_mean};
use crate::effective::Shown;

/// A table that is being read.
pub(crate) struct Table<'a> {
    entries: &'a DeTable<'a>,
    /// Where the table starts: its header or its brace.
    pub(crate) span: Span,
    /// `component.orders`; empty for the root.
    pub(crate) path: String,
    pub(crate) report: &'a Report,
    asked: RefCell<Vec<&'static str>>,
    refused: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub(crate) fn root(entries: &'a DeTable<'a>, report: &'a Report) -> Self {
        Self::new(entries, 0..0, String::new(), report)
    }

    pub(crate) fn new(entries: &'a DeTable<'a>, span: Span, path: String, report: &'a Report) -> Self {
        Self { entries, span, path, report, asked: RefCell::default(), refused: RefCell::default() }
    }

    /// The value of a key, which is known from now on.
    pub(crate) fn get(&self, key: &'static str) -> Option<Item<'a>> {
        self.asked.borrow_mut().push(key);
        self.entries.get(key).map(|value| Item::new(value, self.path_of(key), self.report))
    }

    /// The value of a key, if it is there and right.
    pub(crate) fn optional<T: Setting>(&self, key: &'static str) -> Option<T> {
        self.get(key).and_then(|item| T::read(&item))
    }

    /// The same with its place.
    pub(crate) fn optional_at<T: Setting>(&self, key: &'static str) -> Option<At<T>> {
        self.get(key).and_then(|item| item.read_at())
    }

    /// The value of a key, or its default; a wrong value is reported and counts as the default.
    pub(crate) fn or<T: Setting>(&self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// The same for a value that has bounds.
    pub(crate) fn or_within<T: Setting + PartialOrd>(
        &self,
        key: &'static str,
        default: T,
        bounds: &impl RangeBounds<T>,
    ) -> T {
        let Some(At { value, span }) = self.optional_at::<T>(key) else { return default };
        if !bounds.contains(&value) {
            let message = format!("`{}` is {}", self.path_of(key), plain(&value));
            self.report.wrong(&span, message, format!("write {}", bounds_text(bounds)));
        }
        value
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: Setting>(&self, key: &'static str) -> Option<T> {
        self.required_item(key, T::WANTED).and_then(|item| T::read(&item))
    }

    /// The same with its place.
    pub(crate) fn required_at<T: Setting>(&self, key: &'static str) -> Option<At<T>> {
        self.required_item(key, T::WANTED).and_then(|item| item.read_at())
    }

    /// The same, yet to be read; `wanted` says what to write there.
    pub(crate) fn required_item(&self, key: &'static str, wanted: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            let message = format!("`{}` is missing", self.path_of(key));
            self.report.missing(&self.span, message, format!("add `{key}`: {wanted}"));
        }
        item
    }

    /// The table of a key; none if it is not there.
    pub(crate) fn table(&self, key: &'static str) -> Option<Table<'a>> {
        self.get(key).and_then(|item| item.table("a table"))
    }

    /// Refuse a key by name: something that Spin has and Hull does not.
    pub(crate) fn refuse(&self, key: &'static str, what: &str, remedy: &str) {
        self.refused.borrow_mut().push(key);
        if let Some((name, _)) = self.entries.get_key_value(key) {
            self.report.wrong(&name.span(), format!("`{}`: {what}", self.path_of(key)), remedy);
        }
    }

    /// Every key and value, in the order of the file, for tables whose keys are names.
    pub(crate) fn entries(&self) -> Vec<(At<&'a str>, Item<'a>)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries.into_iter().map(|(key, value)| self.entry(key, value)).collect()
    }

    fn entry(&self, key: &'a Spanned<DeString<'a>>, value: &'a Spanned<DeValue<'a>>) -> (At<&'a str>, Item<'a>) {
        let item = Item::new(value, self.path_of(key.get_ref()), self.report);
        (At { value: key.get_ref().as_ref(), span: key.span() }, item)
    }

    /// Report every key that nobody asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        let refused = self.refused.borrow();
        for (key, _) in self.entries() {
            if asked.contains(&key.value) || refused.contains(&key.value) {
                continue;
            }
            let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            let message = format!("unknown key `{}`{place}", key.value);
            self.report.wrong(&key.span, message, did_you_mean(key.value, &asked, "known keys"));
        }
    }

    /// The path of a key of this table.
    pub(crate) fn path_of(&self, key: &str) -> String {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let quote = if !key.is_empty() && key.bytes().all(bare) { "" } else { "\"" };
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{quote}{key}{quote}", self.path)
    }
}

fn plain<T: Setting>(value: &T) -> String {
    match value.show() {
        Shown::Text(text) => format!("\"{text}\""),
        other => other.inline(),
    }
}

fn bounds_text<T: Setting>(bounds: &impl RangeBounds<T>) -> String {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let low = match bounds.start_bound() {
        Included(low) => Some(format!("at least {}", plain(low))),
        Excluded(low) => Some(format!("more than {}", plain(low))),
        Unbounded => None,
    };
    let high = match bounds.end_bound() {
        Included(high) => Some(format!("at most {}", plain(high))),
        Excluded(high) => Some(format!("less than {}", plain(high))),
        Unbounded => None,
    };
    [low, high].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}
