//! What is no contract is refused by name, and what is checked costs no more than it may.

#![allow(clippy::expect_used, reason = "a fixture that cannot be read fails its test")]

use hull_contracts::{Contract, Schema};
use serde_json::{Value, json};

fn errors(file: &str, document: &Value) -> String {
    let text = document.to_string();
    let errors = Contract::read([(file, text.as_str())]).expect_err("it is refused");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (schema, place, word) in [
        (json!({"properties": {"a": {"if": {}}}}), "/properties/a/if", "`if` is not understood"),
        (json!({"type": "text"}), "/type", "`type` is null"),
        (json!({"type": ["string", 5]}), "/type", "`type` is null"),
        (json!({"required": "a"}), "/required", "a list of names"),
        (json!({"enum": [{"a": 1}]}), "/enum", "texts, numbers"),
        (json!({"items": 5}), "/items", "a schema is"),
        (json!({"anyOf": []}), "/anyOf", "a list of schemas"),
        (json!({"minLength": -1}), "/minLength", "0 or more"),
        (json!({"multipleOf": 0}), "/multipleOf", "above 0"),
        (json!({"minimum": "1"}), "/minimum", "is a number"),
        (json!({"pattern": "(?=a)"}), "/pattern", "look-around"),
        (json!({"pattern": "(a{1000}){1000}"}), "/pattern", "within a bound"),
        (json!({"$ref": "#/$defs/a"}), "/$ref", "leads to nothing"),
        (json!({"$ref": "other.json#/a"}), "/$ref", "leads out of the document"),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
            "/$ref",
            "lead on",
        ),
    ] {
        let told = errors("events/a.json", &schema);
        assert!(told.contains(place) && told.contains(word), "{schema}: {told}");
    }
}

#[test]
fn other_files_are_refused() {
    for (file, document, word) in [
        ("orders.json", json!({}), "openapi.json"),
        ("events/a/b.json", json!({}), "openapi.json"),
        ("events/a..b.json", json!({}), "no subject"),
        ("openapi.json", json!({"swagger": "2.0"}), "version 3"),
        ("openapi.json", json!({"openapi": "3.1.0"}), "no paths"),
        ("openapi.json", json!({"openapi": "3.1.0", "paths": {"a": {"get": {"responses": {}}}}}), "slash"),
        ("openapi.json", json!({"openapi": "3.1.0", "paths": {"/a": {"get": {}}}}), "no responses"),
        (
            "openapi.json",
            json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"2000": {}}}}}}),
            "a status",
        ),
        ("relies-on/a.json", json!({"interactions": [{"description": "x"}]}), "missing field"),
        (
            "relies-on/a.json",
            json!({"interactions": [{"description": "x", "request": {"method": "GET", "path": "x"},
            "response": {"status": 200}}]}),
            "is no path",
        ),
        ("relies-on/a.json", json!({"interaction": []}), "unknown field"),
    ] {
        let told = errors(file, &document);
        assert!(told.starts_with(file) && told.contains(word), "{file}: {told}");
    }
    let told = Contract::read([("events/a.json", "{")]).expect_err("no JSON");
    assert!(told[0].what.contains("no JSON"), "{told:?}");
}

#[test]
fn values_are_checked() {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^[a-z]+$"},
            "n": {"type": "integer", "exclusiveMinimum": 0, "maximum": 10, "multipleOf": 2},
            "kind": {"enum": ["a", 1, null]},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": true},
            "one": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]},
            "not": {"not": {"type": "string"}}
        }
    });
    let schema = Schema::read(&schema).expect("a schema");
    let check = |value: &Value| schema.check(value);
    for good in [
        json!({"id": "abc"}),
        json!({"id": "a", "n": 2.0}),
        json!({"id": "a", "kind": 1.0}),
        json!({"id": "a", "kind": null}),
        json!({"id": "a", "tags": ["x", "y"]}),
        json!({"id": "a", "one": 4}),
        json!({"id": "a", "one": 5.5}),
        json!({"id": "a", "not": 5}),
    ] {
        assert_eq!(check(&good), Ok(()), "{good}");
    }
    for (bad, told) in [
        (json!([]), "is array, and must be object"),
        (json!({}), "`id` is missing"),
        (json!({"id": 5}), "`id` is integer, and must be string"),
        (json!({"id": ""}), "`id` has 0 characters"),
        (json!({"id": "abcd"}), "`id` has 4 characters"),
        (json!({"id": "A"}), "`id` does not match"),
        (json!({"id": "a", "n": 0}), "`n` is 0"),
        (json!({"id": "a", "n": 12}), "`n` is 12"),
        (json!({"id": "a", "n": 3}), "`n` is 3, and must be a multiple of 2"),
        (json!({"id": "a", "n": 2.5}), "`n` is number, and must be integer"),
        (json!({"id": "a", "kind": "b"}), "must be one of \"a\", 1, null"),
        (json!({"id": "a", "tags": ["x", 1]}), "`tags[1]` is integer"),
        (json!({"id": "a", "tags": ["x", "x"]}), "`tags` has an item twice"),
        (json!({"id": "a", "tags": ["x", "y", "z"]}), "`tags` has 3 items"),
        (json!({"id": "a", "one": 6}), "`one` is 2 of the kinds"),
        (json!({"id": "a", "one": 1.5}), "`one` is none of the 2 kinds"),
        (json!({"id": "a", "not": "x"}), "`not` is what it must not be"),
        (json!({"id": "a", "more": 1}), "`more` must not be there"),
    ] {
        let refused = check(&bad).expect_err("it is refused");
        assert!(refused.contains(told), "{bad}: {refused}");
    }
}

#[test]
fn a_check_ends_whatever_the_schema_and_the_value() {
    // It refers to itself without going deeper; and twice per level, which doubles the work with each.
    let itself = json!({"anyOf": [{"$ref": "#"}, {"type": "string"}]});
    let twice = json!({"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]});
    let deep = (0..40).fold(json!(1), |value, _| json!({"a": value}));
    for (schema, value) in [(itself, json!(1)), (twice, deep)] {
        let read = Schema::read(&schema).expect("a schema");
        let refused = read.check(&value).expect_err("it costs too much");
        assert!(refused.contains("costs more"), "{schema}: {refused}");
        assert!(read.missing_of(&read, hull_contracts::Direction::Event).len() <= 1, "{schema}");
    }
}
