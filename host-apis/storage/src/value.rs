//! Values that go into and come out of statements, the same for every backend.

/// One value of a row or a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// `true` or `false`; SQLite keeps and returns it as the integers 1 and 0.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// How many bytes it carries, as far as limits are concerned.
    pub fn size(&self) -> usize {
        match self {
            Self::Null | Self::Boolean(_) => 1,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        }
    }
}

/// What a query returned. Every row has as many values as there are columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResultSet {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, in the order of the statement.
    pub rows: Vec<Vec<Value>>,
}

/// A page of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPage {
    /// In byte order.
    pub keys: Vec<String>,
    /// Where to go on; none after the last page.
    pub cursor: Option<String>,
}

/// What became of a compare-and-swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swapped {
    /// The new value is in place.
    Done,
    /// The value had changed; this is the present one.
    Changed(Option<Vec<u8>>),
}
