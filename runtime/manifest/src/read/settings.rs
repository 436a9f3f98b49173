//! Declares a table whose keys all have defaults: one line gives a key its type, its default and its bounds, so
//! that reading, defaulting and showing cannot drift apart.

/// A struct of settings with defaults: `"key" field: Type = default;` or `… = default, within low..=high;`.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$doc:meta])*
                $key:literal $field:ident: $ty:ty = $default:expr $(, within $bounds:expr)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$doc])* pub $field: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $name {
            /// Read the keys of this struct; the table may have more.
            pub(crate) fn read_from(table: &$crate::read::Table<'_>) -> Self {
                Self { $( $field: $crate::read::settings!(@read table, $key, $default $(, $bounds)?), )* }
            }

            /// Show the keys of this struct, each with whether it is the default.
            pub(crate) fn entries(&self) -> Vec<$crate::effective::Entry> {
                let default = Self::default();
                vec![ $(
                    $crate::effective::Entry::defaulted($key, &self.$field, &default.$field),
                )* ]
            }
        }

        impl $crate::read::Setting for $name {
            const WANTED: &'static str = "a table";

            fn read(item: &$crate::read::Item<'_>) -> Option<Self> {
                let table = item.table("a table")?;
                let value = Self::read_from(&table);
                table.finish();
                Some(value)
            }

            fn show(&self) -> $crate::effective::Shown {
                $crate::effective::Shown::Table(self.entries())
            }
        }
    };
    (@read $table:ident, $key:literal, $default:expr) => {
        $table.or($key, $default)
    };
    (@read $table:ident, $key:literal, $default:expr, $bounds:expr) => {
        $table.or_within($key, $default, &$bounds)
    };
}

pub(crate) use settings;
