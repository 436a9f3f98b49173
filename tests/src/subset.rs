//! Whether an answer holds what a test expects: objects may have more keys, everything else is exact.

use serde_json::Value;

/// Stands for any value that is not null.
pub const ANY: &str = "*";

/// Where `actual` differs from what `expected` says, or nothing.
pub fn difference(expected: &Value, actual: &Value) -> Option<String> {
    at("", expected, actual)
}

fn at(place: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::String(any), actual) if any == ANY => actual.is_null().then(|| format!("{place} is null")),
        (Value::String(text), Value::String(actual)) if text.starts_with("~ ") => {
            let part = text.trim_start_matches("~ ");
            (!actual.contains(part)).then(|| format!("{place} is {actual:?}, which has no {part:?} in it"))
        }
        (Value::Object(expected), Value::Object(actual)) => expected.iter().find_map(|(key, expected)| {
            at(&format!("{place}/{key}"), expected, actual.get(key).unwrap_or(&Value::Null))
        }),
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.len() != actual.len() {
                return Some(format!("{place} has {} elements, not {}", actual.len(), expected.len()));
            }
            let mut pairs = expected.iter().zip(actual).enumerate();
            pairs.find_map(|(index, (expected, actual))| at(&format!("{place}/{index}"), expected, actual))
        }
        (expected, actual) => (expected != actual).then(|| format!("{place} is {actual}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::difference;

    #[test]
    fn more_is_fine_and_other_is_not() {
        let actual = json!({"a": [1, {"b": "text", "c": null}], "d": true});
        assert_eq!(difference(&json!({"a": [1, {"b": "*"}]}), &actual), None);
        assert_eq!(difference(&json!({"a": [1, {"b": "~ ex"}]}), &actual), None);
        assert!(difference(&json!({"a": [1, {"b": "~ no"}]}), &actual).is_some());
        assert!(difference(&json!({"a": [1]}), &actual).is_some());
        assert!(difference(&json!({"a": [1, {"c": "*"}]}), &actual).is_some());
        assert!(difference(&json!({"e": 1}), &actual).is_some());
        assert_eq!(difference(&json!({"e": null}), &actual), None);
    }
}
