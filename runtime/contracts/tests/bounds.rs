//! Whoever writes a contract or an event may be wrong or of ill will: what is read, compared and checked ends, and takes no
//! more memory and time than it may.

#![allow(clippy::expect_used, reason = "a fixture that cannot be read fails its test")]

use hull_contracts::{Contract, Direction, Schema};
use serde_json::{Map, Value, json};

fn read(schema: &Value) -> Schema {
    Schema::read(schema).expect("a schema")
}

fn rules(covering: &Value, sent: &Value) -> Vec<String> {
    let changes = read(covering).missing_of(&read(sent), Direction::Event);
    changes.iter().map(|change| change.rule.to_string()).collect()
}

fn refused(schema: &Value) -> String {
    let errors = Schema::read(schema).expect_err("it is refused");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A schema that asks for the same many times over.
fn times(count: usize, schema: &Value) -> Value {
    let all = vec![json!({"$ref": "#/$defs/one"}); count];
    json!({"allOf": all, "$defs": {"one": schema}})
}

#[test]
fn a_not_ends_and_is_covered_by_the_same_alone() {
    let itself = json!({"not": {"$ref": "#"}});
    assert_eq!(rules(&itself, &itself), [""; 0]);
    let nested = |inner: Value| (0..40).fold(inner, |schema, _| json!({"not": schema}));
    assert_eq!(rules(&nested(json!({"type": "string"})), &nested(json!({"type": "string"}))), [""; 0]);
    for (covering, sent) in [
        (nested(json!({"type": "string"})), nested(json!({"type": "null"}))),
        // {"a": 5} may be sent, and is refused.
        (json!({"not": {"type": "object"}}), json!({"not": {"properties": {"a": {"type": "string"}}}})),
        (json!({"not": {"properties": {"a": {"const": 1}}}}), json!({"not": {"properties": {"a": {"const": 2}}}})),
        (json!({"not": {"pattern": "a"}}), json!({"not": {"pattern": "b"}})),
        (json!({"not": {"anyOf": [{}, {"minimum": 1}]}}), json!({"not": {"oneOf": [{}, {"minimum": 1}]}})),
    ] {
        assert_eq!(rules(&covering, &sent), ["not-comparable"], "{sent} for {covering}");
        assert_eq!(rules(&covering, &covering), [""; 0], "{covering}");
    }
}

#[test]
fn pointers_and_names_are_short() {
    let name = "n".repeat(60);
    let deep = |levels: usize| (0..levels).fold(json!({}), |schema, _| json!({"properties": {name.clone(): schema}}));
    read(&deep(10));
    assert!(refused(&deep(20)).contains("lies too deep"));
    assert!(refused(&json!({"required": ["n".repeat(2_000)]})).contains("a list of names"));
    let told = refused(&json!({"properties": {"é".repeat(100_000): {}}}));
    assert!(told.len() < 2_000, "{} bytes", told.len());
}

#[test]
fn patterns_are_few_and_small() {
    let of = |count: usize, pattern: &dyn Fn(usize) -> String| {
        let properties: Map<_, _> = (0..count).map(|n| (format!("p{n}"), json!({"pattern": pattern(n)}))).collect();
        json!({ "properties": properties })
    };
    read(&of(200, &|n| format!("^{n}$")));
    assert!(refused(&of(201, &|n| format!("^{n}$"))).contains("more than 200 patterns"));
    read(&of(1_000, &|_| r"^\w+$".to_owned()));
    assert!(refused(&of(30, &|n| format!(r"^\w{n}$"))).contains("KiB"));
}

#[test]
fn what_a_check_looks_at_is_paid_for() {
    let fields: Map<String, Value> = (0..10_000).map(|n| (format!("f{n}"), json!(1))).collect();
    let long = "a".repeat(200_000);
    for (schema, value) in [
        (times(200, &json!({"minProperties": 1})), Value::Object(fields)),
        (times(1_000, &json!({"maxLength": 1_000_000})), json!(long)),
        (times(400, &json!({"enum": [long]})), json!(long)),
        (times(50, &json!({"pattern": r"^\w*$"})), json!(&long[..20_000])),
    ] {
        let told = read(&schema).check(&value).expect_err("it costs too much");
        assert!(told.contains("costs more"), "{told}");
        let once = json!({"allOf": [{"$ref": "#/$defs/one"}], "$defs": schema["$defs"]});
        assert_eq!(read(&once).check(&value), Ok(()));
    }
}

#[test]
fn what_is_told_is_short() {
    let long = "b".repeat(100_000);
    for (schema, value) in [
        (json!({"enum": ["a"]}), json!(long)),
        (json!({"pattern": "a".repeat(400)}), json!(long)),
        (json!({"additionalProperties": false}), json!({long.clone(): 1})),
        (json!({"additionalProperties": {"type": "string"}}), json!({long.clone(): 1})),
    ] {
        let told = read(&schema).check(&value).expect_err("it does not fit");
        assert!(told.len() < 200 && told.contains('…'), "{told}");
    }
}

#[test]
fn a_payload_of_many_parts_is_not_read() {
    let contract = Contract::read([("events/a.json", "{}")]).expect("a contract");
    let payload = |parts: usize| format!("[{}1]", "1,".repeat(parts));
    assert_eq!(contract.events.check("a", payload(40_000).as_bytes()), Ok(()));
    for payload in [payload(50_001), "[".repeat(50_001), "{".repeat(50_001)] {
        let told = contract.events.check("a", payload.as_bytes()).expect_err("it is refused");
        assert!(told.contains("more parts than a host checks"), "{told}");
    }
}

#[test]
fn values_that_are_listed_cost_what_the_comparison_may() {
    let listed = |count: usize| json!({"enum": (0..count).map(|n| format!("value {n}")).collect::<Vec<_>>()});
    assert_eq!(rules(&listed(1_000), &listed(1_000)), [""; 0]);
    let properties: Map<_, _> = (0..100).map(|n| (format!("p{n}"), json!({"$ref": "#/$defs/e"}))).collect();
    let many = json!({"type": "object", "properties": properties, "$defs": {"e": listed(1_000)}});
    assert_eq!(rules(&many, &many), ["not-comparable"]);
}

#[test]
fn items_are_told_apart_in_long_lists() {
    let schema = read(&json!({"type": "array", "uniqueItems": true}));
    let many: Vec<Value> = (0..20_000).map(|n| json!(n)).collect();
    assert_eq!(schema.check(&json!(many)), Ok(()));
    for (one, other, is_twice) in [
        (json!(1), json!(1.0), true),
        (json!(0.0), json!(-0.0), true),
        (json!({"a": 1, "b": [2]}), json!({"b": [2.0], "a": 1}), true),
        (json!(1), json!("1"), false),
        (json!(null), json!("null"), false),
        (json!(["a", "b"]), json!(["a,b"]), false),
        (json!([[], 1]), json!([[1]]), false),
        (json!({"a": "b"}), json!(["a", "b"]), false),
    ] {
        let told = schema.check(&json!([one, 17, other]));
        assert_eq!(told.is_err(), is_twice, "{one} and {other}: {told:?}");
    }
}
