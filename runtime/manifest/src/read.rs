//! Reading TOML with places: every value knows where it stands, problems are collected instead of returned, and
//! whatever was not asked for is reported as unknown.

mod document;
mod item;
mod report;
mod setting;
mod settings;
mod suggest;
mod table;
mod words;

pub(crate) use document::read_document;
pub(crate) use item::{At, Item, Span};
pub(crate) use report::Report;
pub(crate) use setting::{Setting, TextSetting};
pub(crate) use settings::settings;
pub(crate) use suggest::did_you_mean;
pub(crate) use table::Table;
pub(crate) use words::words;
