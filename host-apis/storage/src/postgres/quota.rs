//! How much of the server a component takes, and what that means for its next write. PostgreSQL has no quotas: sizes are
//! measured, at most so often and after so much as is set here, so a component may pass its bound by what one statement
//! writes within its time. Near the bound each statement is measured, and undone if it grew past it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hull_invocation::Resource;
use parking_lot::Mutex;
use tokio_postgres::types::Type;

use super::Shared;
use super::scope::{Scope, column};
use crate::error::StorageError;
use crate::operation::Growth;

/// For how long a measurement holds while somebody writes.
const FRESH: Duration = Duration::from_secs(1);
/// After which part of the quota was written, as far as the host has seen, it is measured again.
const WRITTEN_PART: u64 = 32;
/// What is left of the room, as a part of the quota, when each statement is measured.
const NEAR_PART: u64 = 8;
/// A statement that changes more rows than this, or takes longer, is measured at once.
const ROWS_UNSEEN: u64 = 200;
const TIME_UNSEEN: Duration = Duration::from_millis(50);
/// How often the server is asked to take back what was deleted, while there is no room.
const VACUUM_EVERY: Duration = Duration::from_secs(5);

/// What is known of a component's size.
#[derive(Default)]
pub(super) struct Quota(Mutex<State>);

#[derive(Default)]
struct State {
    bytes: u64,
    measured: Option<Instant>,
    written: u64,
    vacuumed: Option<Instant>,
}

/// What is known before a statement.
#[derive(Clone, Copy)]
pub(super) struct Before {
    /// The exact size, where it matters.
    bytes: Option<u64>,
    began: Instant,
}

impl Quota {
    fn is_old(&self, storage_bytes: u64) -> bool {
        let state = self.0.lock();
        state.measured.is_none_or(|at| at.elapsed() > FRESH) || state.written > storage_bytes / WRITTEN_PART
    }

    pub(super) fn set(&self, bytes: u64) {
        let mut state = self.0.lock();
        (state.bytes, state.measured, state.written) = (bytes, Some(hull_clock::now()), 0);
    }

    /// How much was measured, and how much the host has seen to come on top.
    fn bytes(&self) -> u64 {
        let state = self.0.lock();
        state.bytes + state.written
    }

    /// Whether the server is to be asked now.
    fn may_vacuum(&self) -> bool {
        let mut state = self.0.lock();
        let now = hull_clock::now();
        if state.vacuumed.is_some_and(|at| now < at + VACUUM_EVERY) {
            return false;
        }
        state.vacuumed = Some(now);
        true
    }
}

impl Scope<'_> {
    /// Look at the size before something that may make it grow.
    pub(super) async fn before_growth(&self, growth: Growth) -> Result<Before, StorageError> {
        let began = hull_clock::now();
        let quota = &self.shared.quota;
        if growth == Growth::None {
            return Ok(Before { bytes: None, began });
        }
        let storage = self.limits.storage_bytes;
        if quota.is_old(storage) {
            self.measure().await?;
        }
        let is_near = quota.bytes() + storage / NEAR_PART > self.bytes_max(growth);
        let bytes = if is_near { Some(self.measure().await?) } else { None };
        Ok(Before { bytes, began })
    }

    /// Refuse what has made it grow past the bound; whoever ran it undoes it.
    pub(super) async fn after_growth(
        &self,
        growth: Growth,
        before: Before,
        rows: u64,
        bytes_seen: u64,
    ) -> Result<(), StorageError> {
        if growth == Growth::None {
            return Ok(());
        }
        self.shared.quota.0.lock().written += bytes_seen;
        let is_unseen = rows > ROWS_UNSEEN || before.began.elapsed() > TIME_UNSEEN;
        if before.bytes.is_none() && !is_unseen {
            return Ok(());
        }
        let bytes = self.measure().await?;
        let grew = before.bytes.is_none_or(|before| bytes > before);
        if grew && bytes > self.bytes_max(growth) { Err(self.quota_exceeded()) } else { Ok(()) }
    }

    /// Refuse what is still to come when there is no room.
    pub(super) fn check_room(&self, growth: Growth, before: Before, bytes_to_come: u64) -> Result<(), StorageError> {
        let is_full = before.bytes.is_some_and(|bytes| bytes + bytes_to_come > self.bytes_max(growth));
        if is_full { Err(self.quota_exceeded()) } else { Ok(()) }
    }

    /// The size of now, with what is not committed yet.
    pub(super) async fn measure(&self) -> Result<u64, StorageError> {
        let row = self.host_row("SELECT {}.hull_bytes()", &[]).await?;
        let bytes = row.map_or(Ok(0), |row| column::<i64>(&row, 0))? as u64;
        self.shared.quota.set(bytes);
        Ok(bytes)
    }

    fn bytes_max(&self, growth: Growth) -> u64 {
        let reserve = self.limits.reserve_bytes();
        self.limits.storage_bytes
            - match growth {
                Growth::None | Growth::Guest => reserve,
                Growth::Events => reserve / 2,
                Growth::Host => 0,
            }
    }

    fn quota_exceeded(&self) -> StorageError {
        self.shared.reject(Resource::Storage);
        if self.shared.quota.may_vacuum() {
            tokio::spawn(vacuum(Arc::clone(self.shared)));
        }
        StorageError::QuotaExceeded {
            component: self.shared.component.to_string(),
            limit_bytes: self.limits.storage_bytes,
        }
    }
}

/// Have the server take back what was deleted, so that what comes next does not make the files grow.
async fn vacuum(shared: Arc<Shared>) {
    let vacuumed = async {
        let opened = shared.opened().await?;
        let lease = shared.server.connection(&shared.server.host_login(), None).await?;
        let link = lease.link()?;
        let scope = Scope::new(&shared, &opened, link, false);
        let sql = "SELECT format('VACUUM %I.%I', n.nspname, c.relname) FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname IN ($1, $2) AND c.relkind IN ('r', 'm')";
        let names = &opened.names;
        let rows = scope.host(sql, &[(&names.schema, Type::TEXT), (&names.host_schema, Type::TEXT)]).await?;
        for row in rows {
            let statement: String = column(&row, 0)?;
            scope.host_execute(&statement, &[]).await?;
        }
        Ok::<(), StorageError>(())
    };
    if let Err(error) = vacuumed.await {
        tracing::warn!(component = %shared.component, %error, "its tables could not be vacuumed");
    }
}
