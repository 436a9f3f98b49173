//! From what people type to a full-text query that is always valid: words, all of which must occur, the last one
//! perhaps unfinished. Databases write it differently.

const WORDS_MAX: usize = 16;

/// The words that are looked for; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// The words in what was typed, or none if there is none.
    pub(crate) fn of(typed: &str) -> Option<Self> {
        let words = typed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.take(WORDS_MAX).map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// As SQLite's FTS5 reads it.
    pub(crate) fn for_fts5(&self) -> String {
        let quoted: Vec<String> = self.0.iter().map(|word| format!("\"{word}\"")).collect();
        format!("{}*", quoted.join(" "))
    }

    /// As PostgreSQL's `to_tsquery` reads it.
    pub(crate) fn for_tsquery(&self) -> String {
        format!("{}:*", self.0.join(" & "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_people_type() {
        let fts5 = |typed: &str| Words::of(typed).map(|words| words.for_fts5());
        assert_eq!(fts5("green tea").as_deref(), Some("\"green\" \"tea\"*"));
        assert_eq!(fts5("NEAR(\"x\" OR y:*").as_deref(), Some("\"NEAR\" \"x\" \"OR\" \"y\"*"));
        let tsquery = |typed: &str| Words::of(typed).map(|words| words.for_tsquery());
        assert_eq!(tsquery("green tea").as_deref(), Some("green & tea:*"));
        assert_eq!(tsquery("x' | !y:*").as_deref(), Some("x & y:*"));
        assert_eq!(Words::of(" -- ; "), None);
        assert_eq!(fts5(&"w ".repeat(99)).map(|e| e.split(' ').count()), Some(WORDS_MAX));
    }
}
