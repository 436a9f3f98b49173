//! What an operation runs in: a connection, the bounds of now, and two doors to statements: one for the host's own
//! functions, one for a guest's text.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use hull_invocation::Resource;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::Shared;
use super::failure;
use super::link::Link;
use super::provision::Opened;
use crate::error::StorageError;
use crate::event::OutgoingEvent;
use crate::options::StorageLimits;

/// Parameters with their types.
pub(super) type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// See the module.
pub(crate) struct Scope<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) opened: &'a Opened,
    pub(super) link: &'a Link,
    /// The bounds that hold now.
    pub(super) limits: Arc<StorageLimits>,
    /// Whether others' statements are in the same transaction.
    pub(super) in_unit: bool,
    /// What the unit has published; it goes into the outbox with the commit.
    pub(super) published: Vec<OutgoingEvent>,
    /// Whether there is something new for the relay once it is committed.
    pub(super) outbox_touched: bool,
    /// Whether a guest's text has run, which may have changed settings of the connection.
    pub(super) guest_ran: bool,
    /// What is said when the server refuses to write, in a transaction that only reads.
    pub(super) write_refusal: Option<&'static str>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, opened: &'a Opened, link: &'a Link, in_unit: bool) -> Self {
        let limits = Arc::clone(&shared.limits.read());
        Self {
            shared,
            opened,
            link,
            limits,
            in_unit,
            published: Vec::new(),
            outbox_touched: false,
            guest_ran: false,
            write_refusal: None,
        }
    }

    pub(super) fn client(&self) -> &Client {
        self.link.client()
    }

    /// Rows of one of the host's own statements. `{}` in its text stands for the host's schema. It is sent with its
    /// parameters in one go, never compiled under a name that a guest could take.
    pub(super) fn host<'b>(
        &'b self,
        sql: &str,
        parameters: Parameters<'b>,
    ) -> BoxFuture<'b, Result<Vec<Row>, StorageError>> {
        let sql = sql.replace("{}", &self.opened.host_schema);
        let running = async move { self.outcome(self.client().query_typed(&sql, parameters).await).await };
        running.boxed()
    }

    /// The same of a statement that runs often, compiled once for a connection: only where guests' statements never run.
    pub(super) fn host_kept<'b>(
        &'b self,
        sql: &str,
        parameters: Parameters<'b>,
    ) -> BoxFuture<'b, Result<Vec<Row>, StorageError>> {
        let sql = sql.replace("{}", &self.opened.host_schema);
        let running = async move {
            let types: Vec<Type> = parameters.iter().map(|(_, of)| of.clone()).collect();
            let values: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|(value, _)| *value).collect();
            let statement = self.outcome(self.link.prepare_typed(&sql, &types).await).await?;
            self.outcome(self.client().query(&statement, &values).await).await
        };
        running.boxed()
    }

    /// The one row of one of the host's own statements.
    pub(super) async fn host_row(&self, sql: &str, parameters: Parameters<'_>) -> Result<Option<Row>, StorageError> {
        Ok(self.host(sql, parameters).await?.into_iter().next())
    }

    /// Run one of the host's own statements; how many rows it changed.
    pub(super) fn host_execute<'b>(
        &'b self,
        sql: &str,
        parameters: Parameters<'b>,
    ) -> BoxFuture<'b, Result<u64, StorageError>> {
        let sql = sql.replace("{}", &self.opened.host_schema);
        let running = async move { self.outcome(self.client().execute_typed(&sql, parameters).await).await };
        running.boxed()
    }

    /// What ran, or what its error means.
    pub(super) async fn outcome<T>(&self, ran: Result<T, tokio_postgres::Error>) -> Result<T, StorageError> {
        match ran {
            Ok(value) => Ok(value),
            Err(error) => Err(self.failure(&error).await),
        }
    }

    /// What an error of a statement means.
    pub(super) async fn failure(&self, error: &tokio_postgres::Error) -> StorageError {
        if let Some(refusal) = self.write_refusal
            && error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
        {
            return StorageError::Denied(refusal.to_owned());
        }
        failure::of_statement(error, self.link, self.limits.result_bytes_max as u64).await
    }

    /// A value is larger than the component may store.
    pub(super) fn value_too_large(&self) -> StorageError {
        self.shared.reject(Resource::Value);
        let limit_bytes = self.limits.value_bytes_max;
        StorageError::Invalid(format!("a value may have {limit_bytes} bytes at most (limits.value-max)"))
    }

    /// A result has more rows than it may have.
    pub(super) fn too_many_rows(&self) -> StorageError {
        self.shared.reject(Resource::StatementRows);
        StorageError::TooManyRows { limit: self.limits.rows_max }
    }

    /// A result has more bytes than it may have.
    pub(super) fn result_too_large(&self) -> StorageError {
        StorageError::ResultTooLarge { limit_bytes: self.limits.result_bytes_max as u64 }
    }
}

/// A column of one of the host's own rows, whose types are known.
pub(super) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, StorageError> {
    row.try_get(at).map_err(|error| StorageError::Other(format!("a row of the host's tables: {error}")))
}
