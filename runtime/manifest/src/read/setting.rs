//! What can stand in a manifest: how it is read, and how it is shown again with every default filled in.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;

use toml::de::DeValue;

use super::Item;
use crate::effective::Shown;
use crate::problem::Invalid;

/// A type that stands in a manifest.
pub(crate) trait Setting: Sized {
    /// What to write, for people: `a duration such as "250ms"`.
    const WANTED: &'static str;

    /// Read it, or report what is wrong.
    fn read(item: &Item<'_>) -> Option<Self>;

    /// Show it as it would be written.
    fn show(&self) -> Shown;
}

/// A type that is written as a text.
pub(crate) trait TextSetting: FromStr<Err = Invalid> + Display {
    /// As of [`Setting::WANTED`].
    const WANTED: &'static str;
}

impl<T: TextSetting> Setting for T {
    const WANTED: &'static str = T::WANTED;

    fn read(item: &Item<'_>) -> Option<Self> {
        let text = item.text(T::WANTED)?;
        text.parse().map_err(|invalid| item.report.invalid(&item.span, &item.path, invalid)).ok()
    }

    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}

impl Setting for String {
    const WANTED: &'static str = "\"a text\"";

    fn read(item: &Item<'_>) -> Option<Self> {
        item.text(Self::WANTED).map(str::to_owned)
    }

    fn show(&self) -> Shown {
        Shown::Text(self.clone())
    }
}

impl Setting for bool {
    const WANTED: &'static str = "true or false";

    fn read(item: &Item<'_>) -> Option<Self> {
        let flag = item.value.as_bool();
        if flag.is_none() {
            item.unwanted(Self::WANTED);
        }
        flag
    }

    fn show(&self) -> Shown {
        Shown::Flag(*self)
    }
}

impl Setting for u32 {
    const WANTED: &'static str = "a whole number";

    fn read(item: &Item<'_>) -> Option<Self> {
        let DeValue::Integer(integer) = item.value else {
            item.unwanted(Self::WANTED);
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix());
        if number.is_err() {
            item.wrong(format!("{integer} is out of range"), format!("write a whole number from 0 to {}", u32::MAX));
        }
        number.ok()
    }

    fn show(&self) -> Shown {
        Shown::Number(u64::from(*self))
    }
}

impl Setting for NonZeroU32 {
    const WANTED: &'static str = "a whole number from 1";

    fn read(item: &Item<'_>) -> Option<Self> {
        let number = Self::new(u32::read(item)?);
        if number.is_none() {
            item.wrong("0 makes no sense here", format!("write {}", Self::WANTED));
        }
        number
    }

    fn show(&self) -> Shown {
        Shown::Number(u64::from(self.get()))
    }
}

impl<T: Setting> Setting for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn read(item: &Item<'_>) -> Option<Self> {
        T::read(item).map(Some)
    }

    fn show(&self) -> Shown {
        self.as_ref().map_or(Shown::Absent, T::show)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const WANTED: &'static str = "a list in brackets";

    fn read(item: &Item<'_>) -> Option<Self> {
        Some(item.elements(Self::WANTED)?.filter_map(|element| T::read(&element)).collect())
    }

    fn show(&self) -> Shown {
        Shown::List(self.iter().map(T::show).collect())
    }
}

impl<K: TextSetting + Ord, V: Setting> Setting for BTreeMap<K, V> {
    const WANTED: &'static str = "a table";

    fn read(item: &Item<'_>) -> Option<Self> {
        let mut map = Self::new();
        for (key, value) in item.table("a table")?.entries() {
            let parsed = key.value.parse::<K>();
            let read = V::read(&value);
            match (parsed, read) {
                (Ok(key), Some(value)) => _ = map.insert(key, value),
                (Err(invalid), _) => item.report.invalid(&key.span, &item.path, invalid),
                (Ok(_), None) => {}
            }
        }
        Some(map)
    }

    fn show(&self) -> Shown {
        Shown::map(self.iter().map(|(key, value)| (key.to_string(), value.show())))
    }
}
