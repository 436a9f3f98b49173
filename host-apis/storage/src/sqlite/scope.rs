//! What an operation runs in: a connection, the bounds of now, and two doors to statements: one for the host's own
//! text, one for a guest's.

use std::cell::Cell;
use std::sync::Arc;

use hull_invocation::Resource;
use rusqlite::CachedStatement;

use super::PAGE_BYTES;
use super::connection::Connection;
use super::failure;
use super::guard::Author;
use crate::allowance::Allowance;
use crate::error::StorageError;
use crate::operation::Growth;
use crate::options::{StatementMeter, StorageLimits};
use crate::waiters::Waiters;

/// See the module.
pub(crate) struct Scope<'a> {
    pub(super) connection: &'a Connection,
    /// The bounds that hold now.
    pub(crate) limits: &'a StorageLimits,
    /// Publishers that wait for the bus.
    pub(crate) waiters: &'a Arc<Waiters>,
    /// Whether this connection cannot write.
    pub(crate) read_only: bool,
    /// Set when a statement given to a connection that cannot write turns out to write.
    pub(super) wants_writer: Cell<bool>,
    /// Set when a guest's statement was compiled again to be run.
    pub(super) recompiled: Cell<bool>,
    /// Set when something for the relay was written.
    pub(super) outbox_touched: Cell<bool>,
    /// Set when a migration ran, or a guest changed its schema.
    pub(super) schema_changed: Cell<bool>,
    /// How many pages were in use after the last operation that wrote; not known once something was undone.
    pages_after: Cell<Option<u64>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        limits: &'a StorageLimits,
        waiters: &'a Arc<Waiters>,
        read_only: bool,
    ) -> Self {
        let [wants_writer, recompiled, outbox_touched, schema_changed] = [const { Cell::new(false) }; 4];
        Self {
            connection,
            limits,
            waiters,
            read_only,
            wants_writer,
            recompiled,
            outbox_touched,
            schema_changed,
            pages_after: Cell::new(None),
        }
    }

    /// A unit was undone, with what it had made the file grow by.
    pub(super) fn on_undone(&self) {
        self.pages_after.set(None);
    }

    /// One of the host's own statements. Each has `hull` somewhere in its text: that keeps it apart from guests'
    /// statements, which share the cache of compiled ones but not the permission.
    pub(super) fn host(&self, sql: &'static str) -> Result<CachedStatement<'_>, StorageError> {
        debug_assert!(!may_share_cache(sql), "{sql}");
        self.connection.raw.prepare_cached(sql).map_err(|error| self.host_failure(&error))
    }

    /// Run one of the host's own statements that returns nothing.
    pub(super) fn host_execute(
        &self,
        sql: &'static str,
        parameters: impl rusqlite::Params,
    ) -> Result<usize, StorageError> {
        self.host(sql)?.execute(parameters).map_err(|error| self.host_failure(&error))
    }

    /// Run `work` with a guest's statement, compiled and run as the guest.
    pub(super) fn guest<R>(
        &self,
        sql: &str,
        work: impl FnOnce(&mut rusqlite::Statement<'_>) -> Result<R, StorageError>,
    ) -> Result<R, StorageError> {
        self.as_author(Author::Guest, || {
            let raw = &self.connection.raw;
            if may_share_cache(sql) {
                let mut statement = raw.prepare_cached(sql).map_err(|error| self.failure(&error))?;
                let result = work(&mut statement);
                // Compiled anew each time, it is looked at each time.
                if self.connection.guard.saw_schema_change() {
                    statement.discard();
                }
                result
            } else {
                work(&mut raw.prepare(sql).map_err(|error| self.failure(&error))?)
            }
        })
    }

    /// Do something with the authorizer set to an author.
    pub(super) fn as_author<R>(
        &self,
        author: Author,
        work: impl FnOnce() -> Result<R, StorageError>,
    ) -> Result<R, StorageError> {
        let connection = self.connection;
        connection.bound_guests_rows(self.limits.value_bytes_max)?;
        connection.guard.set_author(author);
        let result = work();
        connection.guard.set_author(Author::Host);
        connection.bound_hosts_rows()?;
        result
    }

    /// What an error of a guest's statement means.
    pub(super) fn failure(&self, error: &rusqlite::Error) -> StorageError {
        // One statement can write past all of the quota before it is looked at.
        if failure::is_full(error) && failure::disk_has_room(&self.connection.place) {
            return self.quota_exceeded();
        }
        failure::of_statement(error, self.connection)
    }

    /// What an error of one of the host's statements means.
    pub(super) fn host_failure(&self, error: &rusqlite::Error) -> StorageError {
        match self.failure(error) {
            // Too large only for the thread that asks.
            invalid @ StorageError::Invalid(_) if self.connection.control.is_glance() => invalid,
            StorageError::Invalid(_) => failure::of_host(error, &self.connection.place),
            other => other,
        }
    }

    /// Run `work` so that it happens whole or not at all, and refuse it if it uses more of the file than this kind
    /// of work may. `Err(Lost)` says that SQLite undid the whole transaction, whatever else was in it.
    pub(super) fn atomically<R>(
        &self,
        growth: Growth,
        allowance: Allowance,
        work: impl FnOnce() -> Result<R, StorageError>,
    ) -> Result<Result<R, StorageError>, Lost> {
        if growth == Growth::None {
            let result = self.allowed(allowance, work);
            let lost = self.connection.raw.is_autocommit();
            return if lost { Err(Lost(result.err())) } else { Ok(result) };
        }
        let lost = |error: StorageError| Lost(Some(error));
        self.host_execute("SAVEPOINT hull_statement", []).map_err(lost)?;
        let pages_before = self.pages_after.take().map_or_else(|| self.pages_used(), Ok).map_err(lost)?;
        let mut result = self.allowed(allowance, work);
        if self.connection.raw.is_autocommit() {
            return Err(Lost(result.err()));
        }
        if result.is_ok() {
            let pages = self.pages_used().map_err(lost)?;
            if pages > pages_before && pages > self.pages_max(growth) {
                result = Err(self.quota_exceeded());
            } else {
                self.pages_after.set(Some(pages));
            }
        }
        if result.is_err() {
            self.host_execute("ROLLBACK TO hull_statement", []).map_err(lost)?;
        }
        self.host_execute("RELEASE hull_statement", []).map_err(lost)?;
        Ok(result)
    }

    /// Run `work` within an allowance. The host's savepoints and commits are outside: they must not be ended
    /// half-way.
    pub(super) fn allowed<R>(&self, allowance: Allowance, work: impl FnOnce() -> R) -> R {
        self.connection.control.allowed(allowance, None, work)
    }

    /// The same, charged to somebody else if one is named.
    pub(super) fn charged<R>(
        &self,
        allowance: Allowance,
        meter: Option<&Arc<dyn StatementMeter>>,
        work: impl FnOnce() -> R,
    ) -> R {
        self.connection.control.allowed(allowance, meter, work)
    }

    /// How many pages are in use, with what is not committed yet. Free pages do not count: else guests would move into
    /// what marks and outbox have left, and the reserve would be gone. They are used before the file grows, so the file
    /// has never more pages than were in use at once.
    pub(super) fn pages_used(&self) -> Result<u64, StorageError> {
        let pages = self.number("PRAGMA page_count /* hull */")?;
        Ok(pages.saturating_sub(self.number("PRAGMA freelist_count /* hull */")?))
    }

    fn number(&self, sql: &'static str) -> Result<u64, StorageError> {
        let number: rusqlite::Result<i64> = self.host(sql)?.query_row([], |row| row.get(0));
        number.map(|number| number as u64).map_err(|error| self.host_failure(&error))
    }

    fn pages_max(&self, growth: Growth) -> u64 {
        let reserve_bytes = self.limits.reserve_bytes();
        let kept_bytes = match growth {
            Growth::None | Growth::Guest => reserve_bytes,
            Growth::Events => reserve_bytes / 2,
            Growth::Host => 0,
        };
        (self.limits.storage_bytes - kept_bytes) / PAGE_BYTES
    }

    /// A value is larger than the component may store.
    pub(super) fn value_too_large(&self) -> StorageError {
        self.connection.place.reject(Resource::Value);
        let limit_bytes = self.limits.value_bytes_max;
        StorageError::Invalid(format!("a value may have {limit_bytes} bytes at most (limits.value-max)"))
    }

    /// A result has more rows than it may have.
    pub(super) fn too_many_rows(&self) -> StorageError {
        self.connection.place.reject(Resource::StatementRows);
        StorageError::TooManyRows { limit: self.limits.rows_max }
    }

    fn quota_exceeded(&self) -> StorageError {
        self.connection.place.reject(Resource::Storage);
        StorageError::QuotaExceeded {
            component: self.connection.place.component.to_string(),
            limit_bytes: self.limits.storage_bytes,
        }
    }
}

/// The transaction is gone, with everything in it; why, if an error says so.
#[derive(Debug)]
pub(super) struct Lost(pub(super) Option<StorageError>);

/// Whether a guest's statement may use the cache of compiled statements: not if it could be the text of one of the
/// host's, which is compiled with other rights.
pub(super) fn may_share_cache(sql: &str) -> bool {
    !sql.as_bytes().windows(4).any(|window| window.eq_ignore_ascii_case(b"hull"))
}
