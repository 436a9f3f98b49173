//! Random schemas: where a comparison finds nothing, whatever fits what is sent fits what covers it. A failure prints the
//! seed.

#![allow(clippy::expect_used, reason = "what is made here is a schema")]

use hull_contracts::{Direction, Schema};
use serde_json::{Map, Value, json};

/// A small generator, so that a seed means the same for ever (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).rotate_left(31) % most
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = self.below(all.len() as u64) as usize;
        &all[at]
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn schema(random: &mut Random, depth: u32) -> Value {
    let kinds = if depth == 0 { 6 } else { 10 };
    match random.below(kinds) {
        0 => json!({"type": "string", "maxLength": random.below(4)}),
        1 => json!({"type": "integer", "minimum": random.below(3), "maximum": 2 + random.below(4)}),
        2 => json!({"type": ["number", "null"]}),
        3 => json!({"enum": [*random.one_of(&["x", "y"]), *random.one_of(&["z", "xyz"]), random.below(3)]}),
        4 => json!({"type": *random.one_of(&["string", "boolean", "integer"])}),
        5 => json!({}),
        6 => json!({"type": "array", "items": schema(random, depth - 1), "minItems": random.below(2)}),
        7 => json!({"anyOf": [schema(random, depth - 1), schema(random, depth - 1)]}),
        8 => json!({"allOf": [schema(random, depth - 1)], "type": *random.one_of(&["object", "string"])}),
        _ => object(random, depth),
    }
}

fn object(random: &mut Random, depth: u32) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in NAMES {
        if random.below(3) > 0 {
            properties.insert(name.to_owned(), schema(random, depth - 1));
            if random.below(2) == 0 {
                required.push(name);
            }
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// One step towards another schema: something is loosened or tightened somewhere.
fn altered(random: &mut Random, of: &Value) -> Value {
    let mut value = of.clone();
    if let Some(keys) = value.as_object_mut() {
        match random.below(4) {
            0 => drop(keys.remove("required")),
            1 => drop(keys.remove("maxLength").or_else(|| keys.remove("minimum"))),
            2 => {
                if let Some(Value::Object(properties)) = keys.get_mut("properties")
                    && let Some((_, one)) = properties.iter_mut().next()
                {
                    *one = altered(random, one);
                }
            }
            _ => return schema(random, 1),
        }
    }
    value
}

fn value(random: &mut Random, depth: u32) -> Value {
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => json!(*random.one_of(&["", "x", "y", "z", "xyz", "long one"])),
        1 => json!(random.below(7)),
        2 => json!(random.below(20) as f64 / 4.0),
        3 => Value::Null,
        4 => json!(random.below(2) == 0),
        5 => (0..random.below(3)).map(|_| value(random, depth - 1)).collect(),
        _ => {
            let names = NAMES.iter().filter(|_| random.below(3) > 0).copied().collect::<Vec<_>>();
            names.into_iter().map(|name| (name.to_owned(), value(random, depth - 1))).collect::<Map<_, _>>().into()
        }
    }
}

#[test]
fn where_nothing_is_found_everything_fits() {
    let (mut compared, mut covered, mut checked) = (0, 0, 0);
    for seed in 1..4_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let sent = schema(&mut random, 3);
        let covering = if random.below(3) == 0 { schema(&mut random, 3) } else { altered(&mut random, &sent) };
        // Loosened one way, it is tightened the other way.
        let (sent, covering) = if random.below(2) == 0 { (covering, sent) } else { (sent, covering) };
        let (sent_read, covering_read) =
            (Schema::read(&sent).expect("a schema"), Schema::read(&covering).expect("a schema"));
        compared += 1;
        if !covering_read.missing_of(&sent_read, Direction::Request).is_empty() {
            continue;
        }
        covered += 1;
        for _ in 0..60 {
            let value = value(&mut random, 3);
            if sent_read.check(&value).is_ok() {
                checked += 1;
                let fits = covering_read.check(&value);
                assert_eq!(fits, Ok(()), "seed {seed}: {value} fits {sent} and not {covering}");
            }
        }
    }
    assert!(
        covered * 10 > compared && checked > 5_000,
        "{covered} of {compared} are covered, {checked} values were checked"
    );
}
