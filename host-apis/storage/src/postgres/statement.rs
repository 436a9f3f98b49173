//! A guest's SQL: its own statement, compiled by the server, which says what types its parameters have; rows read within
//! their bounds.

use std::pin::pin;

use futures::TryStreamExt;
use tokio_postgres::{RowStream, Statement};

use super::guard;
use super::operation::{OnPostgres, Runs};
use super::scope::Scope;
use super::values::{Parameter, decode};
use crate::error::StorageError;
use crate::operation::{Growth, Operation};
use crate::sqlite::{Execute, Query};
use crate::value::{ResultSet, Value};

impl OnPostgres for Query {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<ResultSet, StorageError> {
        guard::check(&self.sql)?;
        let growth = if guard::only_reads(&self.sql) { Growth::None } else { self.growth() };
        let before = scope.before_growth(growth).await?;
        let (statement, rows) = start(scope, &self.sql, &self.parameters).await?;
        let (result, changed) = collect(scope, &statement, rows).await?;
        scope.after_growth(growth, before, changed, bytes_of(&self.parameters)).await?;
        Ok(result)
    }
}

impl OnPostgres for Execute {
    const RUNS: Runs = Runs::AsGuest;

    async fn on_postgres(&self, scope: &mut Scope<'_>) -> Result<u64, StorageError> {
        guard::check(&self.sql)?;
        let before = scope.before_growth(self.growth()).await?;
        if guard::only_reads(&self.sql) {
            // Its errors come first, as they do where it writes.
            compiled(scope, &self.sql).await?;
            return Err(StorageError::Invalid("the statement only reads: use query".to_owned()));
        }
        let (_, rows) = start(scope, &self.sql, &self.parameters).await?;
        let changed = drain(scope, rows).await?;
        scope.after_growth(self.growth(), before, changed, bytes_of(&self.parameters)).await?;
        Ok(changed)
    }
}

async fn compiled(scope: &mut Scope<'_>, sql: &str) -> Result<Statement, StorageError> {
    scope.guest_ran = true;
    scope.outcome(scope.link.prepare(sql).await).await
}

/// Have a statement run; its rows are still to be read.
async fn start(scope: &mut Scope<'_>, sql: &str, parameters: &[Value]) -> Result<(Statement, RowStream), StorageError> {
    if parameters.iter().any(|value| value.size() > scope.limits.value_bytes_max) {
        return Err(scope.value_too_large());
    }
    let statement = compiled(scope, sql).await?;
    let (wanted, given) = (statement.params().len(), parameters.len());
    if given < wanted {
        return Err(StorageError::Invalid(format!("the statement has a parameter ${wanted}, but {given} were given")));
    }
    if given > wanted {
        return Err(StorageError::Invalid(format!("{given} parameters were given, the statement uses {wanted}")));
    }
    let rows = scope.client().query_raw(&statement, parameters.iter().map(Parameter)).await;
    Ok((statement, scope.outcome(rows).await?))
}

/// Have a statement whose rows nobody wants run to its end; how many it has changed.
async fn drain(scope: &Scope<'_>, rows: RowStream) -> Result<u64, StorageError> {
    let mut rows = pin!(rows);
    while scope.outcome(rows.try_next().await).await?.is_some() {}
    Ok(rows.rows_affected().unwrap_or(0))
}

/// The rows, and how many the statement has changed.
async fn collect(scope: &Scope<'_>, statement: &Statement, rows: RowStream) -> Result<(ResultSet, u64), StorageError> {
    let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let mut result = ResultSet { columns, rows: Vec::new() };
    let mut bytes = 0;
    let mut rows = pin!(rows);
    while let Some(row) = scope.outcome(rows.try_next().await).await? {
        bytes += row.raw_size_bytes() + row.len() * size_of::<Value>();
        let too_much = if result.rows.len() >= scope.limits.rows_max as usize {
            Some(scope.too_many_rows())
        } else if bytes > scope.limits.result_bytes_max {
            Some(scope.result_too_large())
        } else {
            None
        };
        if let Some(error) = too_much {
            // The server would go on sending what nobody reads.
            scope.link.cancel().await;
            return Err(error);
        }
        let mut values = Vec::with_capacity(row.len());
        for (at, column) in row.columns().iter().enumerate() {
            values.push(decode(&row, at, column)?);
        }
        result.rows.push(values);
    }
    Ok((result, rows.rows_affected().unwrap_or(0)))
}

fn bytes_of(parameters: &[Value]) -> u64 {
    parameters.iter().map(|value| value.size() as u64).sum()
}

/// The statements of a migration: schema and data, in order.
pub(super) async fn run_script(scope: &mut Scope<'_>, sql: &str) -> Result<(), StorageError> {
    for statement in guard::statements(sql) {
        guard::check_words(statement)?;
        scope.guest_ran = true;
        // With its own message each: one text with several statements is not one that this takes.
        let ran = scope.client().query_typed_raw(statement, std::iter::empty::<(Parameter<'_>, _)>()).await;
        drain(scope, scope.outcome(ran).await?).await?;
    }
    Ok(())
}
