//! Declares an enum that is written as one of a few words.

/// An enum of words: `Variant = "word"`.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident, $wanted:literal {
            $( $(#[$doc:meta])* $variant:ident = $word:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        $vis enum $name {
            $( $(#[$doc])* $variant, )*
        }

        impl $name {
            /// The word it is written as.
            $vis fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::problem::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $( $word => Ok(Self::$variant), )*
                    other => Err($crate::problem::Invalid::new(
                        format!("\"{other}\" is not known"),
                        $crate::read::did_you_mean(other, &[$($word),*], "known words"),
                    )),
                }
            }
        }

        impl $crate::read::TextSetting for $name {
            const WANTED: &'static str = $wanted;
        }
    };
}

pub(crate) use words;
