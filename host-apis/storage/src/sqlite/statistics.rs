//! What status and metrics want to know of a database.

use super::scope::Scope;
use crate::error::StorageError;
use crate::operation::{Growth, Operation};

/// Bytes of the file and rows of the host's tables.
pub(crate) struct Measure;

/// See [`Measure`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    pub(crate) bytes_used: u64,
    pub(crate) outbox_rows: u64,
    pub(crate) dead_letters: u64,
}

impl Operation for Measure {
    type Output = Measured;

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<Measured, StorageError> {
        let sql = "SELECT (SELECT count(*) FROM hull_outbox), (SELECT count(*) FROM hull_dead_letters)";
        let mut statement = scope.host(sql)?;
        let counts = statement.query_row([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)));
        let (outbox_rows, dead_letters) = counts.map_err(|error| scope.host_failure(&error))?;
        Ok(Measured { bytes_used: scope.pages_used()? * super::PAGE_BYTES, outbox_rows, dead_letters })
    }
}

/// Read the whole file and say what is damaged.
pub(crate) struct Check;

impl Operation for Check {
    type Output = ();

    fn growth(&self) -> Growth {
        Growth::None
    }

    fn run(&self, scope: &Scope<'_>) -> Result<(), StorageError> {
        let mut statement = scope.host("PRAGMA quick_check(1) /* hull */")?;
        let verdict: String = statement.query_row([], |row| row.get(0)).map_err(|error| scope.host_failure(&error))?;
        if verdict == "ok" {
            return Ok(());
        }
        let file = scope.connection.place.file.clone();
        Err(StorageError::Corrupt { file, message: format!("is damaged: {verdict}; restore it from a copy") })
    }
}
