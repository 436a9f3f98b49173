//! SQL on the component's own database: parameters from Rust values, rows read by column name and type.

use crate::bindings::hull::sql::database;
pub use crate::bindings::hull::sql::types::{ConstraintKind, Value};
use crate::error::{Error, Result};
use crate::money::Cents;

/// Parameters for `$1`, `$2`, …: `params![id, quantity]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::sql::Value::from($value)),*] as &[$crate::sql::Value]
    };
}

/// Run a statement that returns rows.
pub fn query(statement: &str, parameters: &[Value]) -> Result<Vec<Row>> {
    let result = database::query(statement, parameters)?;
    let columns: std::rc::Rc<[String]> = result.columns.into();
    Ok(result.rows.into_iter().map(|values| Row { columns: columns.clone(), values }).collect())
}

/// Run a statement that returns one row, or none.
pub fn query_one(statement: &str, parameters: &[Value]) -> Result<Option<Row>> {
    Ok(query(statement, parameters)?.into_iter().next())
}

/// Run a statement that changes rows; the result is how many.
pub fn execute(statement: &str, parameters: &[Value]) -> Result<u64> {
    Ok(database::execute(statement, parameters)?)
}

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row {
    columns: std::rc::Rc<[String]>,
    values: Vec<Value>,
}

impl Row {
    /// A column's value, as the type asked for.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T> {
        let at = self.columns.iter().position(|name| name == column);
        let value = at.and_then(|i| self.values.get(i));
        let value = value.ok_or_else(|| Error::Fault(format!("the result has no column {column}")))?;
        // The fault is logged, so it names the types and never the value.
        let wrong =
            || Error::Fault(format!("column {column} holds {}, not a {}", kind(value), std::any::type_name::<T>()));
        T::from_value(value).ok_or_else(wrong)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "a null",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::Real(_) => "a real",
        Value::Text(_) => "a text",
        Value::Blob(_) => "a blob",
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// The value, or none if it is of another type.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(*number) } else { None }
    }
}

impl FromValue for u32 {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for Cents {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Boolean(yes) => Some(*yes),
            // SQLite has no type of its own for it.
            Value::Integer(number) => Some(*number != 0),
            _ => None,
        }
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        if matches!(value, Value::Null) { Some(None) } else { T::from_value(value).map(Some) }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<Cents> for Value {
    fn from(amount: Cents) -> Self {
        Self::Integer(amount.get())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Boolean(yes)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_by_name_and_type() {
        let columns: std::rc::Rc<[String]> = vec!["n".to_owned(), "t".to_owned(), "none".to_owned()].into();
        let row = Row { columns, values: vec![Value::Integer(7), Value::Text("x".into()), Value::Null] };
        assert_eq!(row.get::<i64>("n").ok(), Some(7));
        assert_eq!(row.get::<bool>("n").ok(), Some(true));
        assert_eq!(row.get::<Option<String>>("t").ok(), Some(Some("x".to_owned())));
        assert_eq!(row.get::<Option<i64>>("none").ok(), Some(None));
        let told = row.get::<i64>("t").expect_err("another type").to_string();
        assert_eq!(told, "column t holds a text, not a i64");
        assert!(row.get::<i64>("other").is_err());
    }
}
