//! The effective configuration as JSON, or as whatever else serde writes.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Entry, Shown};

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(values) => serializer.collect_seq(values),
            Self::Table(entries) | Self::Section(entries) => Entries(entries).serialize(serializer),
            Self::Sections(tables) => {
                let mut list = serializer.serialize_seq(Some(tables.len()))?;
                for table in tables {
                    list.serialize_element(&Entries(table))?;
                }
                list.end()
            }
            Self::Absent | Self::Implied(_) => serializer.serialize_none(),
        }
    }
}

struct Entries<'a>(&'a [Entry]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for entry in self.0 {
            map.serialize_entry(&entry.key, &entry.value)?;
        }
        map.end()
    }
}
