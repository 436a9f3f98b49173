//! From what people type to a full-text query that is always valid: words, all of which must occur, the last one
//! perhaps unfinished.

const WORDS_MAX: usize = 16;

/// The `MATCH` expression, or none if there is no word in it.
pub(crate) fn expression(typed: &str) -> Option<String> {
    let words = typed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut quoted: Vec<String> = words.take(WORDS_MAX).map(|word| format!("\"{word}\"")).collect();
    quoted.last_mut()?.push('*');
    Some(quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_people_type() {
        assert_eq!(expression("green tea").as_deref(), Some("\"green\" \"tea\"*"));
        assert_eq!(expression("NEAR(\"x\" OR y:*").as_deref(), Some("\"NEAR\" \"x\" \"OR\" \"y\"*"));
        assert_eq!(expression(" -- ; "), None);
        assert_eq!(expression(&"w ".repeat(99)).map(|e| e.split(' ').count()), Some(WORDS_MAX));
    }
}
