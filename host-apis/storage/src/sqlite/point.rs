//! Which of a guest's statements are point reads: SQLite's machine runs no instruction of theirs twice, and none that
//! can be long. Such a read is over sooner than another thread could be told of it, so it runs on the thread that asks,
//! which serves everybody. Every other statement could hold that thread: nothing ends an instruction half-way.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use super::guard::Author;
use super::scope::{Scope, may_share_cache};
use crate::error::StorageError;

/// The largest value that such a read is given, or gives, in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 16 * 1024;
/// The longest program.
const INSTRUCTIONS_MAX: usize = 256;
/// Who takes more CPU time to compile is not worth it: what is forgotten has to be compiled again.
const COMPILED_WITHIN: Duration = Duration::from_micros(500);
/// How often such a program may look something up: each may read keys as long as values.
const SEEKS_MAX: usize = 4;
/// Longer texts are not remembered.
const SQL_BYTES_MAX: usize = 4 * 1024;
/// How many statements are known; then all are forgotten.
const KNOWN_MAX: usize = 64;

/// Instructions that cost little, whatever they are given, and go on to the next one.
const STRAIGHT: [&str; 24] = [
    "Affinity",
    "Blob",
    "Close",
    "Column",
    "Copy",
    "DeferredSeek",
    "Explain",
    "Halt",
    "IdxRowid",
    "Int64",
    "Integer",
    "Move",
    "Noop",
    "Null",
    "OpenRead",
    "Real",
    "RealAffinity",
    "ResultRow",
    "Rowid",
    "SCopy",
    "String",
    "String8",
    "Transaction",
    "Variable",
];
/// The same, but the next one may be their second operand.
const JUMPS: [&str; 26] = [
    "DecrJumpZero",
    "Eq",
    "Found",
    "Ge",
    "Goto",
    "Gt",
    "IdxGE",
    "IdxGT",
    "IdxLE",
    "IdxLT",
    "If",
    "IfNot",
    "IfPos",
    "Init",
    "IsNull",
    "Le",
    "Lt",
    "MustBeInt",
    "Ne",
    "NotExists",
    "NotFound",
    "NotNull",
    "SeekGE",
    "SeekGT",
    "SeekLE",
    "SeekRowid",
];

/// What a connection has found out: which schema it knows, and which statements are point reads with that one.
#[derive(Default)]
pub(super) struct PointReads {
    /// None before it has read any.
    schema: Cell<Option<i64>>,
    known: RefCell<HashMap<Box<str>, bool>>,
}

impl PointReads {
    /// Whether it was one when it was last looked at.
    pub(super) fn is_one(&self, sql: &str) -> bool {
        sql.len() <= SQL_BYTES_MAX && self.known.borrow().get(sql).is_some_and(|is_point| *is_point)
    }

    /// After a read: know the schema as it is now, and what the statement is that was run, if it was one.
    pub(super) fn learn(&self, scope: &Scope<'_>, sql: Option<&str>) {
        let sql = sql.filter(|sql| sql.len() <= SQL_BYTES_MAX && may_share_cache(sql));
        let looked = within_snapshot(scope, || {
            let schema = Some(schema_of(scope)?);
            if self.schema.get() != schema {
                self.known.borrow_mut().clear();
                // Of what only asks for a number, or explains, SQLite does not look whether the schema is another one.
                let any = scope.host("SELECT 1 FROM sqlite_schema LIMIT 1 /* hull */")?.exists([]);
                any.map_err(|error| scope.host_failure(&error))?;
                self.schema.set(schema);
            }
            let Some(sql) = sql.filter(|sql| !self.known.borrow().contains_key(*sql)) else { return Ok(()) };
            let is_point = looks_like_one(scope, sql).unwrap_or(false);
            let mut known = self.known.borrow_mut();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(sql.into(), is_point);
            Ok(())
        });
        if let Err(error) = looked {
            tracing::debug!(component = %scope.connection.place.component, %error, "the schema could not be looked at");
        }
    }

    /// Do something quick, if the schema is the one that is known, looked at in the same snapshot: reading another one may
    /// be long, and makes other programs of statements.
    pub(super) fn quickly<R>(
        &self,
        scope: &Scope<'_>,
        work: impl FnOnce() -> Result<R, StorageError>,
    ) -> Result<Option<R>, StorageError> {
        within_snapshot(scope, || {
            let is_known = self.schema.get() == Some(schema_of(scope)?);
            if is_known { work().map(Some) } else { Ok(None) }
        })
    }
}

fn within_snapshot<R>(scope: &Scope<'_>, work: impl FnOnce() -> Result<R, StorageError>) -> Result<R, StorageError> {
    scope.host_execute("BEGIN /* hull */", [])?;
    let result = work();
    // It only read: there is nothing to lose.
    let ended = scope.host_execute("COMMIT /* hull */", []);
    result.and_then(|result| ended.map(|_| result))
}

fn schema_of(scope: &Scope<'_>) -> Result<i64, StorageError> {
    let schema = scope.host("PRAGMA schema_version /* hull */")?.query_row([], |row| row.get(0));
    schema.map_err(|error| scope.host_failure(&error))
}

fn looks_like_one(scope: &Scope<'_>, sql: &str) -> Result<bool, StorageError> {
    let explain = format!("EXPLAIN {sql}");
    scope.as_author(Author::Guest, || {
        // It is remembered: what the machine had to do meanwhile must not decide it.
        let began = hull_clock::thread_cpu();
        let mut statement = scope.connection.raw.prepare(&explain).map_err(|error| scope.failure(&error))?;
        if hull_clock::thread_cpu() >= began + COMPILED_WITHIN {
            return Ok(false);
        }
        let mut rows = statement.raw_query();
        let mut program = Vec::new();
        while let Some(row) = rows.next().map_err(|error| scope.failure(&error))? {
            if program.len() >= INSTRUCTIONS_MAX {
                return Ok(false);
            }
            let instruction = row.get("opcode").and_then(|opcode| Ok((opcode, row.get("p2")?)));
            program.push(instruction.map_err(|error| scope.failure(&error))?);
        }
        Ok(is_point(&program))
    })
}

/// No instruction runs twice if no jump leads back. The last one does: it leads from the program's beginning, which
/// stands at its end, to the rest.
fn is_point(program: &[(String, i64)]) -> bool {
    let last = program.len().saturating_sub(1);
    let looks_up = |(opcode, _): &&(String, i64)| {
        opcode != "NotNull" && ["Seek", "Idx", "Found", "Not"].iter().any(|start| opcode.starts_with(start))
    };
    let looks_up_little = program.iter().filter(looks_up).count() <= SEEKS_MAX;
    looks_up_little
        && program.iter().enumerate().all(|(address, (opcode, p2))| {
            let opcode = opcode.as_str();
            let leads_on = *p2 > address as i64 || (address == last && opcode == "Goto" && *p2 == 1);
            STRAIGHT.contains(&opcode) || (JUMPS.contains(&opcode) && leads_on)
        })
}

#[cfg(test)]
mod tests {
    use super::is_point;

    fn program(instructions: &[(&str, i64)]) -> Vec<(String, i64)> {
        instructions.iter().map(|(opcode, p2)| ((*opcode).to_owned(), *p2)).collect()
    }

    #[test]
    fn what_runs_once_and_is_short_is_one() {
        let lookup = [("Init", 6), ("OpenRead", 2), ("SeekRowid", 5), ("Column", 1), ("ResultRow", 1), ("Halt", 0)];
        let rest = [("Transaction", 0), ("Goto", 1)];
        let whole = [lookup.as_slice(), rest.as_slice()].concat();
        assert!(is_point(&program(&whole)));
        for (at, instruction) in [(3, ("Function", 0)), (4, ("Next", 3)), (4, ("Goto", 3)), (6, ("Goto", 1))] {
            let mut other = whole.clone();
            other[at] = instruction;
            assert!(!is_point(&program(&other)), "{instruction:?} at {at}");
        }
    }
}
