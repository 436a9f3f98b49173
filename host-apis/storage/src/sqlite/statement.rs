//! A guest's SQL: parameters bound by number, rows read within their bounds.

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Batch, Statement, StatementStatus};

use super::guard::Author;
use super::point;
use super::schema::check_schema;
use super::scope::Scope;
use crate::error::StorageError;
use crate::operation::{Growth, Operation};
use crate::options::{PARAMETERS_MAX, SQL_BYTES_MAX};
use crate::value::{ResultSet, Value};

/// A statement that returns rows.
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
}

impl Query {
    /// Whether the statement surely only reads. Only a hint for where to run it; SQLite itself says what is true.
    pub(crate) fn seems_to_read(&self) -> bool {
        begins_with(&self.sql, &["select", "values", "explain", "with"])
    }
}

impl Operation for Query {
    type Output = ResultSet;

    fn growth(&self) -> Growth {
        if begins_with(&self.sql, &["select", "values", "explain"]) { Growth::None } else { Growth::Guest }
    }

    fn is_quick(&self, scope: &Scope<'_>) -> bool {
        scope.connection.points.is_one(&self.sql)
            && self.parameters.iter().all(|value| value.size() <= point::VALUE_BYTES_MAX)
    }

    fn text(&self) -> Option<&str> {
        Some(&self.sql)
    }

    fn run(&self, scope: &Scope<'_>) -> Result<ResultSet, StorageError> {
        check_text(&self.sql)?;
        scope
            .guest(&self.sql, |statement| {
                if scope.read_only && !statement.readonly() {
                    scope.wants_writer.set(true);
                    return Ok(ResultSet::default());
                }
                bind(statement, &self.parameters, scope)?;
                let result = collect(statement, scope)?;
                // Some are compiled anew for each value that they are given.
                if statement.reset_status(StatementStatus::RePrepare) > 0 {
                    scope.recompiled.set(true);
                }
                Ok(result)
            })
            .and_then(|result| after_guest(scope).map(|()| result))
    }
}

/// A statement that returns no rows.
pub(crate) struct Execute {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
}

impl Operation for Execute {
    type Output = u64;

    fn growth(&self) -> Growth {
        Growth::Guest
    }

    fn run(&self, scope: &Scope<'_>) -> Result<u64, StorageError> {
        check_text(&self.sql)?;
        scope
            .guest(&self.sql, |statement| {
                bind(statement, &self.parameters, scope)?;
                if statement.readonly() {
                    return Err(StorageError::Invalid("the statement only reads: use query".to_owned()));
                }
                let mut rows = statement.raw_query();
                while rows.next().map_err(|error| scope.failure(&error))?.is_some() {}
                drop(rows);
                Ok(scope.connection.raw.changes())
            })
            .and_then(|changes| after_guest(scope).map(|()| changes))
    }
}

/// A statement that changed the schema may have done what the authorizer does not see.
fn after_guest(scope: &Scope<'_>) -> Result<(), StorageError> {
    if scope.read_only || !scope.connection.guard.saw_schema_change() {
        return Ok(());
    }
    scope.schema_changed.set(true);
    check_schema(scope)
}

fn begins_with(sql: &str, words: &[&str]) -> bool {
    let first = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    words.iter().any(|word| first.eq_ignore_ascii_case(word))
}

fn check_text(sql: &str) -> Result<(), StorageError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(StorageError::Invalid(format!("a statement has {SQL_BYTES_MAX} bytes at most")));
    }
    // SQLite refuses it as well, inside a transaction, but in words that would not help.
    if begins_with(sql, &["vacuum"]) {
        return Err(StorageError::Denied("VACUUM may not be used: the file belongs to the host".to_owned()));
    }
    Ok(())
}

/// The statements of a migration: schema and data, in order.
pub(super) fn run_script(scope: &Scope<'_>, sql: &str) -> Result<(), StorageError> {
    scope.as_author(Author::Migration, || {
        let failed = |error| scope.failure(&error);
        let mut statements = Batch::new(&scope.connection.raw, sql);
        loop {
            scope.connection.guard.begin_statement();
            let Some(mut statement) = statements.next().map_err(failed)? else { return Ok(()) };
            let mut rows = statement.raw_query();
            while rows.next().map_err(failed)?.is_some() {}
        }
    })
}

/// `$1` is the first parameter, wherever it stands; `?1` and `?` are SQLite's own words for the same.
fn bind(statement: &mut Statement<'_>, parameters: &[Value], scope: &Scope<'_>) -> Result<(), StorageError> {
    let count = statement.parameter_count();
    let mut highest = 0;
    for index in 1..=count {
        let number = match statement.parameter_name(index) {
            None => index,
            Some(name) => number_of(name)?,
        };
        highest = highest.max(number);
        let Some(value) = parameters.get(number - 1) else {
            return Err(StorageError::Invalid(format!(
                "the statement has a parameter ${number}, but {} were given",
                parameters.len()
            )));
        };
        if value.size() > scope.limits.value_bytes_max {
            return Err(scope.value_too_large());
        }
        statement.raw_bind_parameter(index, to_sqlite(value)).map_err(|error| scope.failure(&error))?;
    }
    if parameters.len() > highest {
        let given = parameters.len();
        return Err(StorageError::Invalid(format!("{given} parameters were given, the statement uses {highest}")));
    }
    Ok(())
}

fn number_of(name: &str) -> Result<usize, StorageError> {
    let digits = name.strip_prefix('$').or_else(|| name.strip_prefix('?'));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.filter(|number| (1..=PARAMETERS_MAX).contains(number)).ok_or_else(|| {
        StorageError::Invalid(format!("the parameter {name} is not a number: parameters are $1, $2 and so on"))
    })
}

fn to_sqlite(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Boolean(value) => ValueRef::Integer(i64::from(*value)),
        Value::Integer(value) => ValueRef::Integer(*value),
        Value::Real(value) => ValueRef::Real(*value),
        Value::Text(text) => ValueRef::Text(text.as_bytes()),
        Value::Blob(bytes) => ValueRef::Blob(bytes),
    })
}

fn collect(statement: &mut Statement<'_>, scope: &Scope<'_>) -> Result<ResultSet, StorageError> {
    let limits = scope.limits;
    let mut result = ResultSet::default();
    let mut bytes = 0_usize;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| scope.failure(&error))? {
        // Not before the first step: a statement that was kept may have to be compiled again for a new schema.
        if result.rows.is_empty() {
            result.columns = column_names(row.as_ref());
        }
        if result.rows.len() >= limits.rows_max as usize {
            return Err(scope.too_many_rows());
        }
        let mut values = Vec::with_capacity(result.columns.len());
        for column in 0..result.columns.len() {
            let value = row.get_ref(column).map_err(|error| scope.failure(&error))?;
            bytes += size_of::<Value>() + length(value);
            // Before it is copied: a row may be many times larger than a result.
            if bytes > limits.result_bytes_max {
                return Err(StorageError::ResultTooLarge { limit_bytes: limits.result_bytes_max as u64 });
            }
            values.push(from_sqlite(value)?);
        }
        result.rows.push(values);
    }
    drop(rows);
    if result.rows.is_empty() {
        result.columns = column_names(statement);
    }
    Ok(result)
}

fn column_names(statement: &Statement<'_>) -> Vec<String> {
    statement.column_names().map(str::to_owned).collect()
}

fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
    }
}

fn from_sqlite(value: ValueRef<'_>) -> Result<Value, StorageError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(text) => Value::Text(
            std::str::from_utf8(text)
                .map_err(|_| StorageError::Invalid("a text in the result is not UTF-8; cast it to a blob".to_owned()))?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}
