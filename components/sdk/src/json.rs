//! JSON in: parsed into the type asked for, and what does not fit is told with the field's path.

use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Parse a body.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let parsed: T = serde_path_to_error::deserialize(&mut reader).map_err(|e| told(&e))?;
    match reader.end() {
        Ok(()) => Ok(parsed),
        Err(_) => Err(Problem::bad_request("there is more after the end of the JSON body")),
    }
}

fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if !inner.is_data() {
        return Problem::bad_request(format!("the body is not JSON: {inner}"));
    }
    let message = inner.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let path = error.path().to_string();
    let field = match (path.as_str(), named(message)) {
        (".", Some(name)) => name.to_owned(),
        (path, Some(name)) if message.starts_with("missing") => format!("{path}.{name}"),
        (".", None) => "body".to_owned(),
        (path, _) => path.to_owned(),
    };
    Problem::invalid(field, message)
}

/// The field that serde names in its message where the path ends above it.
fn named(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("missing field `").or_else(|| message.strip_prefix("unknown field `"))?;
    rest.split('`').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[allow(dead_code)]
    struct Order {
        user_id: String,
        items: Vec<Line>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[allow(dead_code)]
    struct Line {
        product_id: String,
        quantity: u32,
    }

    fn field(body: &str) -> String {
        let problem = parse::<Order>(body.as_bytes()).expect_err("must not fit");
        problem.field().unwrap_or("none").to_owned()
    }

    #[test]
    fn names_the_field_wherever_it_is() {
        assert_eq!(field(r#"{"items":[]}"#), "userId");
        assert_eq!(field(r#"{"userId":7,"items":[]}"#), "userId");
        assert_eq!(field(r#"{"userId":"u","items":[{"productId":"p"}]}"#), "items[0].quantity");
        assert_eq!(field(r#"{"userId":"u","items":[{"productId":"p","quantity":-1}]}"#), "items[0].quantity");
        assert_eq!(field(r#"{"userId":"u","items":[],"coupon":1}"#), "coupon");
        assert_eq!(field("[]"), "body");
        assert_eq!(field("7"), "body");
    }

    #[test]
    fn tells_broken_json_apart() {
        let broken = parse::<Order>(b"{").expect_err("broken");
        assert_eq!(broken.status(), 400);
        let more = parse::<Line>(br#"{"productId":"p","quantity":1} x"#).expect_err("more");
        assert_eq!(more.status(), 400);
    }
}
