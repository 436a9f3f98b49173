//! Reads schemas. What a keyword asks for is either understood or refused by name: nothing is passed over in silence.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};

use super::error::SchemaError;
use super::number::End;
use super::pattern::Pattern;
use super::{At, Choice, Rest, Schemas, Shape, Types};

/// Schemas of one document.
const SCHEMAS_MAX: usize = 10_000;
/// References that lead to references.
const HOPS_MAX: usize = 16;
/// A pointer to a schema, and a name that is required: both are kept.
const POINTER_BYTES_MAX: usize = 1024;
/// Patterns of one document that differ.
const PATTERNS_MAX: usize = 200;
/// All of them, compiled.
const PATTERNS_KIB_MAX: usize = PATTERNS_MAX * 32;
/// Problems of one document that are told.
const ERRORS_MAX: usize = 20;

/// What says nothing about which values there may be.
const ANNOTATIONS: [&str; 23] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "$anchor",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "xml",
    "externalDocs",
    "discriminator",
    "nullable",
    "$ref",
];

/// Reads the schemas of one document, each once.
pub(crate) struct Reader<'d> {
    document: &'d Value,
    shapes: Vec<Shape>,
    known: BTreeMap<String, At>,
    pending: VecDeque<(At, &'d Value, String)>,
    patterns: BTreeMap<&'d str, Pattern>,
    patterns_kib: usize,
    errors: Vec<SchemaError>,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(document: &'d Value) -> Self {
        let (shapes, known, pending, errors) = (Vec::new(), BTreeMap::new(), VecDeque::new(), Vec::new());
        Self { document, shapes, known, pending, patterns: BTreeMap::new(), patterns_kib: 0, errors }
    }

    /// The place of a schema; it is read by [`Reader::finish`]. That it refers to itself does no harm.
    pub(crate) fn schema(&mut self, value: &'d Value, pointer: String) -> At {
        if let Some(at) = self.known.get(&pointer) {
            return *at;
        }
        if pointer.len() > POINTER_BYTES_MAX {
            self.wrong(&pointer, format!("this lies too deep: its pointer is longer than {POINTER_BYTES_MAX} bytes"));
            return At(0);
        }
        let at = At(self.shapes.len());
        if self.shapes.len() >= SCHEMAS_MAX {
            self.wrong(&pointer, format!("there are more than {SCHEMAS_MAX} schemas in the document"));
            return At(0);
        }
        self.shapes.push(Shape::default());
        self.known.insert(pointer.clone(), at);
        self.pending.push_back((at, value, pointer));
        at
    }

    /// Something is wrong.
    pub(crate) fn wrong(&mut self, pointer: &str, what: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            let at = pointer.get(..pointer.floor_char_boundary(POINTER_BYTES_MAX)).unwrap_or_default();
            self.errors.push(SchemaError { at: at.to_owned(), what: what.into() });
        }
    }

    /// Read everything that was asked for.
    pub(crate) fn finish(mut self) -> Result<Schemas, Vec<SchemaError>> {
        while let Some((at, value, pointer)) = self.pending.pop_front() {
            let shape = self.shape(value, &pointer);
            if let Some(place) = self.shapes.get_mut(at.0) {
                *place = shape;
            }
        }
        if self.errors.is_empty() { Ok(Schemas { shapes: self.shapes }) } else { Err(self.errors) }
    }

    fn shape(&mut self, value: &'d Value, pointer: &str) -> Shape {
        let keys = match value {
            Value::Bool(true) => return Shape::default(),
            Value::Bool(false) => return Shape { types: Types::NONE, ..Shape::default() },
            Value::Object(keys) => keys,
            _ => {
                self.wrong(pointer, "a schema is an object, true or false");
                return Shape::default();
            }
        };
        let mut shape = Shape::default();
        for (key, value) in keys {
            let place = format!("{pointer}/{}", escaped(key));
            if !(self.of_any(&mut shape, key, value, &place)
                || self.of_object(&mut shape, key, value, &place)
                || self.of_array_or_text(&mut shape, key, value, &place)
                || self.of_number(&mut shape, key, value, &place)
                || ANNOTATIONS.contains(&key.as_str())
                || key.starts_with("x-"))
            {
                self.wrong(&place, format!("the keyword `{key}` is not understood; write the schema without it"));
            }
        }
        // As OpenAPI 3.0 has it.
        if keys.get("nullable") == Some(&Value::Bool(true)) && keys.contains_key("type") {
            shape.types = shape.types.or(Types::NULL);
            if let Some(values) = &mut shape.values {
                values.push(Value::Null);
            }
        }
        exclude_ends(&mut shape, keys);
        shape
    }

    fn of_any(&mut self, shape: &mut Shape, key: &str, value: &'d Value, place: &str) -> bool {
        match key {
            "type" => shape.types = self.types(value, place),
            "enum" | "const" => {
                let values = if key == "const" {
                    Some(std::slice::from_ref(value))
                } else {
                    value.as_array().map(Vec::as_slice)
                };
                match values.filter(|values| !values.iter().any(|value| value.is_object() || value.is_array())) {
                    Some(values) => shape.values = Some(values.to_vec()),
                    None => self.wrong(place, format!("`{key}` has texts, numbers, true, false and null")),
                }
            }
            "allOf" => shape.all.extend(self.list(value, place)),
            "anyOf" | "oneOf" => {
                let of = self.list(value, place);
                shape.choices.push(Choice { of, exactly_one: key == "oneOf" });
            }
            "not" => shape.not = Some(self.schema(value, place.to_owned())),
            "$ref" => match resolve(self.document, value) {
                Ok((target, pointer)) => shape.all.push(self.schema(target, pointer)),
                Err(what) => self.wrong(place, what),
            },
            _ => return false,
        }
        true
    }

    fn of_object(&mut self, shape: &mut Shape, key: &str, value: &'d Value, place: &str) -> bool {
        match key {
            "properties" => match value.as_object() {
                Some(properties) => {
                    for (name, value) in properties {
                        let at = self.schema(value, format!("{place}/{}", escaped(name)));
                        shape.properties.insert(name.clone(), at);
                    }
                }
                None => self.wrong(place, "`properties` is an object of schemas"),
            },
            "required" => {
                let name = |name: &'d Value| name.as_str().filter(|name| name.len() <= POINTER_BYTES_MAX);
                match value.as_array().map(|names| names.iter().map(name).collect::<Option<Vec<_>>>()) {
                    Some(Some(names)) => shape.required = names.into_iter().map(str::to_owned).collect(),
                    _ => self.wrong(place, "`required` is a list of names"),
                }
            }
            "additionalProperties" => {
                shape.rest = match value {
                    Value::Bool(true) => Rest::Anything,
                    Value::Bool(false) => Rest::Nothing,
                    schema => Rest::Like(self.schema(schema, place.to_owned())),
                }
            }
            "minProperties" => shape.members.least = self.count(value, place),
            "maxProperties" => shape.members.most = Some(self.count(value, place)),
            _ => return false,
        }
        true
    }

    fn of_array_or_text(&mut self, shape: &mut Shape, key: &str, value: &'d Value, place: &str) -> bool {
        match key {
            "items" => shape.items = Some(self.schema(value, place.to_owned())),
            "minItems" => shape.length.least = self.count(value, place),
            "maxItems" => shape.length.most = Some(self.count(value, place)),
            "uniqueItems" => shape.unique = value == &Value::Bool(true),
            "minLength" => shape.text.least = self.count(value, place),
            "maxLength" => shape.text.most = Some(self.count(value, place)),
            "pattern" => match value.as_str().map(|text| self.pattern(text)) {
                Some(Ok(pattern)) => shape.pattern = Some(pattern),
                Some(Err(why)) => self.wrong(place, why),
                None => self.wrong(place, "`pattern` is a text"),
            },
            _ => return false,
        }
        true
    }

    fn of_number(&mut self, shape: &mut Shape, key: &str, value: &'d Value, place: &str) -> bool {
        let end = match key {
            "minimum" | "exclusiveMinimum" => &mut shape.range.low,
            "maximum" | "exclusiveMaximum" => &mut shape.range.high,
            "multipleOf" => {
                match value.as_f64().filter(|of| *of > 0.0) {
                    Some(of) => shape.multiple_of = Some(of),
                    None => self.wrong(place, "`multipleOf` is a number above 0"),
                }
                return true;
            }
            _ => return false,
        };
        let excluded = key.starts_with("exclusive");
        match value.as_f64() {
            Some(at) => {
                let tighter =
                    end.is_none_or(|before| if key.ends_with("inimum") { at >= before.at } else { at <= before.at });
                if tighter {
                    *end = Some(End { at, excluded });
                }
            }
            // OpenAPI 3.0 says it with a flag; see `exclude_ends`.
            None if excluded && value.is_boolean() => {}
            None => self.wrong(place, format!("`{key}` is a number")),
        }
        true
    }

    /// A pattern, compiled once however often it is written.
    fn pattern(&mut self, text: &'d str) -> Result<Pattern, String> {
        if let Some(known) = self.patterns.get(text) {
            return Ok(known.clone());
        }
        if self.patterns.len() >= PATTERNS_MAX || self.errors.len() >= ERRORS_MAX {
            return Err(format!("there are more than {PATTERNS_MAX} patterns in the document"));
        }
        let pattern = Pattern::new(text)?;
        self.patterns_kib += pattern.size_kib();
        if self.patterns_kib > PATTERNS_KIB_MAX {
            return Err(format!(
                "the patterns of the document take more than {PATTERNS_KIB_MAX} KiB: `[0-9]` and `[A-Za-z]` take less than `\\d` and `\\w`"
            ));
        }
        self.patterns.insert(text, pattern.clone());
        Ok(pattern)
    }

    fn types(&mut self, value: &Value, place: &str) -> Types {
        let names = match value {
            Value::String(name) => vec![Some(name.as_str())],
            Value::Array(names) => names.iter().map(Value::as_str).collect(),
            _ => vec![None],
        };
        let mut types = Types::NONE;
        for name in names {
            match name.and_then(Types::named) {
                Some(one) => types = types.or(one),
                None => self.wrong(
                    place,
                    "`type` is null, boolean, object, array, string, integer or number, or a list of them",
                ),
            }
        }
        types
    }

    fn list(&mut self, value: &'d Value, place: &str) -> Vec<At> {
        let Some(values) = value.as_array().filter(|values| !values.is_empty()) else {
            self.wrong(place, "this is a list of schemas");
            return Vec::new();
        };
        values.iter().enumerate().map(|(n, value)| self.schema(value, format!("{place}/{n}"))).collect()
    }

    fn count(&mut self, value: &Value, place: &str) -> u64 {
        let count =
            value.as_u64().or_else(|| value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0).map(|n| n as u64));
        if count.is_none() {
            self.wrong(place, "this is a whole number, 0 or more");
        }
        count.unwrap_or_default()
    }
}

/// `exclusiveMinimum: true` beside `minimum`.
fn exclude_ends(shape: &mut Shape, keys: &Map<String, Value>) {
    let range = &mut shape.range;
    for (key, end) in [("exclusiveMinimum", &mut range.low), ("exclusiveMaximum", &mut range.high)] {
        if keys.get(key) == Some(&Value::Bool(true))
            && let Some(end) = end
        {
            end.excluded = true;
        }
    }
}

/// What a reference within the document leads to, with its pointer.
pub(crate) fn resolve<'d>(document: &'d Value, reference: &Value) -> Result<(&'d Value, String), String> {
    let mut reference = reference.as_str().ok_or("a reference is a text")?;
    for _ in 0..HOPS_MAX {
        let pointer = reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let pointer = pointer.ok_or_else(|| {
            format!("{reference:?} leads out of the document: copy the schema in, and refer to it as \"#/$defs/NAME\"")
        })?;
        let decoded = pointer.replace("%7B", "{").replace("%7D", "}");
        let target = document.pointer(&decoded).ok_or_else(|| format!("{reference:?} leads to nothing"))?;
        match target.as_object().filter(|keys| keys.len() == 1).and_then(|keys| keys.get("$ref")) {
            Some(Value::String(next)) if next != reference => reference = next,
            _ => return Ok((target, decoded)),
        }
    }
    Err(format!("references lead on more than {HOPS_MAX} times"))
}

/// A key in a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
