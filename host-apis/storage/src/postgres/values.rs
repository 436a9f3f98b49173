//! Values on their way to the server and back. Parameters go as text, whatever type the server has found for them, so
//! that its own reading of dates, numbers and documents holds; only bytes go as they are. Results come in the server's
//! binary forms.

use std::fmt::Write as _;

use bytes::BytesMut;
use hull_clock::date;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};
use tokio_postgres::{Column, Row};

use crate::error::StorageError;
use crate::value::Value;

type Failed = Box<dyn std::error::Error + Sync + Send>;

/// A guest's value as a parameter.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        let text = match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Boolean(value) if is_number(ty) => u8::from(*value).to_string(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Real(value) if value.is_infinite() => if *value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            Value::Real(value) => value.to_string(),
            Value::Text(text) => {
                out.extend_from_slice(text.as_bytes());
                return Ok(IsNull::No);
            }
            Value::Blob(bytes) => {
                if !is_bytes(ty) {
                    std::str::from_utf8(bytes).map_err(|_| format!("bytes where the server wants {ty}"))?;
                }
                out.extend_from_slice(bytes);
                return Ok(IsNull::No);
            }
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        if matches!(self.0, Value::Blob(_)) && is_bytes(ty) { Format::Binary } else { Format::Text }
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        self.to_sql(ty, out)
    }
}

fn is_number(ty: &Type) -> bool {
    matches!(*ty, Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC | Type::FLOAT4 | Type::FLOAT8)
}

fn is_bytes(ty: &Type) -> bool {
    *base(ty) == Type::BYTEA
}

/// What a domain is made of.
fn base(ty: &Type) -> &Type {
    match ty.kind() {
        Kind::Domain(inner) => base(inner),
        _ => ty,
    }
}

/// A value of a row.
pub(super) fn decode(row: &Row, at: usize, column: &Column) -> Result<Value, StorageError> {
    let invalid = |what: &str| {
        let (name, ty) = (column.name(), column.type_());
        StorageError::Invalid(format!("the column {name} of the result has the type {ty}{what}"))
    };
    let raw: Raw<'_> = row.try_get(at).map_err(|error| StorageError::Other(error.to_string()))?;
    let Some(bytes) = raw.0 else { return Ok(Value::Null) };
    let ty = base(column.type_());
    let value = match ty.kind() {
        Kind::Enum(_) => text(bytes),
        _ => of_type(ty, bytes),
    };
    value.ok_or_else(|| invalid(", which has no place in a result: cast it to text"))
}

/// The bytes of any value.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Failed> {
        Ok(Self(Some(bytes)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failed> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn of_type(ty: &Type, bytes: &[u8]) -> Option<Value> {
    match *ty {
        Type::BOOL => Some(Value::Boolean(*bytes.first()? != 0)),
        Type::INT2 => Some(Value::Integer(i64::from(i16::from_be_bytes(bytes.try_into().ok()?)))),
        Type::INT4 => Some(Value::Integer(i64::from(i32::from_be_bytes(bytes.try_into().ok()?)))),
        Type::INT8 => Some(Value::Integer(i64::from_be_bytes(bytes.try_into().ok()?))),
        Type::OID => Some(Value::Integer(i64::from(u32::from_be_bytes(bytes.try_into().ok()?)))),
        Type::FLOAT4 => Some(Value::Real(f64::from(f32::from_be_bytes(bytes.try_into().ok()?)))),
        Type::FLOAT8 => Some(Value::Real(f64::from_be_bytes(bytes.try_into().ok()?))),
        Type::NUMERIC => numeric(bytes),
        Type::BYTEA => Some(Value::Blob(bytes.to_vec())),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON | Type::XML => text(bytes),
        // Its first byte is a version.
        Type::JSONB => text(bytes.get(1..)?),
        Type::UUID => {
            let id: [u8; 16] = bytes.try_into().ok()?;
            let mut written = String::with_capacity(36);
            for (at, byte) in id.iter().enumerate() {
                let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
                write!(written, "{dash}{byte:02x}").ok()?;
            }
            Some(Value::Text(written))
        }
        Type::DATE => {
            let days = i32::from_be_bytes(bytes.try_into().ok()?);
            Some(Value::Text(date(i64::from(days) + DAYS_TO_2000)))
        }
        Type::TIMESTAMP => time(bytes).map(Value::Text),
        Type::TIMESTAMPTZ => time(bytes).map(|text| Value::Text(format!("{text}Z"))),
        // A function that returns nothing.
        Type::VOID => Some(Value::Null),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok().map(|text| Value::Text(text.to_owned()))
}

/// Digits in groups of four: a number without a fraction is an integer where it fits, as the sum of integers is; any
/// other is its decimal text, in which nothing is lost.
fn numeric(bytes: &[u8]) -> Option<Value> {
    let word = |at: usize| Some(i16::from_be_bytes(bytes.get(at * 2..at * 2 + 2)?.try_into().ok()?));
    let (groups, weight, sign, scale) = (word(0)?, word(1)?, word(2)? as u16, word(3)?);
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Some(Value::Real(f64::NAN)),
        0xD000 => return Some(Value::Real(f64::INFINITY)),
        _ => return Some(Value::Real(f64::NEG_INFINITY)),
    };
    let group = |place: i16| {
        let at = weight.checked_sub(place).filter(|at| (0..groups).contains(at));
        at.map_or(Some(0), |at| word(4 + usize::from(at.unsigned_abs())))
    };
    let mut whole = String::new();
    for place in (0..=weight.max(0)).rev() {
        write!(whole, "{:04}", group(place)?).ok()?;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let mut fraction = String::new();
    let mut place = -1;
    while fraction.len() < usize::from(scale.unsigned_abs()) {
        write!(fraction, "{:04}", group(place)?).ok()?;
        place -= 1;
    }
    fraction.truncate(usize::from(scale.unsigned_abs()));
    let number = format!("{sign}{whole}");
    if fraction.is_empty() {
        return Some(number.parse().map_or(Value::Text(number), Value::Integer));
    }
    Some(Value::Text(format!("{number}.{fraction}")))
}

/// From 1970-01-01 to 2000-01-01, where the server begins to count.
const DAYS_TO_2000: i64 = 10_957;
const DAY_US: i64 = 86_400_000_000;

/// A time without a zone, as RFC 3339 has it.
fn time(bytes: &[u8]) -> Option<String> {
    let us = i64::from_be_bytes(bytes.try_into().ok()?);
    match us {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let (day, of_day) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    let (second, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    let text = format!("{}T{clock}", date(day + DAYS_TO_2000));
    Some(if fraction == 0 { text } else { format!("{text}.{fraction:06}") })
}

#[cfg(test)]
mod tests {
    use super::{DAYS_TO_2000, date, numeric, time};
    use crate::value::Value;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(DAYS_TO_2000), "2000-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(time(&0_i64.to_be_bytes()).as_deref(), Some("2000-01-01T00:00:00"));
        assert_eq!(time(&(-1_i64).to_be_bytes()).as_deref(), Some("1999-12-31T23:59:59.999999"));
    }

    #[test]
    fn numbers_lose_nothing() {
        let of = |words: &[i16]| numeric(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>());
        assert_eq!(of(&[0, 0, 0, 0]), Some(Value::Integer(0)));
        assert_eq!(of(&[2, 1, 0, 0, 1, 2345]), Some(Value::Integer(12345)));
        assert_eq!(of(&[1, 1, 0x4000, 0, 5]), Some(Value::Integer(-50_000)), "a group that is zero is not sent");
        assert_eq!(of(&[2, 0, 0, 2, 12, 3400]), Some(Value::Text("12.34".into())));
        assert_eq!(of(&[1, -1, 0, 4, 5]), Some(Value::Text("0.0005".into())));
        assert_eq!(of(&[1, 6, 0, 0, 1]), Some(Value::Text(format!("1{}", "0".repeat(24)))));
        assert_eq!(numeric(&[0]), None);
    }
}
