//! Opening a component's database file: what is checked before SQLite may touch it, and how a connection is set up.
//! A file that is not ours, or is damaged, is named and left as it is.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hull_invocation::{ComponentId, CountRejected, Resource};
use rusqlite::config::DbConfig;
use rusqlite::hooks::AuthContext;
use rusqlite::limits::Limit;
use rusqlite::{OpenFlags, TransactionBehavior};

use super::control::{Control, STEPS_BETWEEN_CHECKS};
use super::failure;
use super::functions::replace_costly;
use super::glance::GLANCE_BYTES_MAX;
use super::guard::Guard;
use super::point::PointReads;
use super::{PAGE_BYTES, schema};
use crate::error::StorageError;
use crate::migrations::MIGRATION_BYTES_MAX;
use crate::options::{PARAMETERS_MAX, Sabotage, StatementMeter, StorageLimits};
use crate::state_dir::ComponentDir;

/// How long a connection waits for another one of this process, which happens when a file is opened or closed.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How large the log may become before writing waits until it is brought back into the file.
const LOG_BYTES_MAX: u64 = 32 << 20;
/// How much of a file one connection keeps in memory.
const CACHE_KIB: i64 = 1024;
/// How many compiled statements one connection keeps.
const STATEMENTS_KEPT: usize = 64;
/// What a row may have beyond its largest value: other columns, key, headers.
const ROW_OVERHEAD_BYTES: usize = 256 * 1024;
/// How large a row of the host's own tables may be: an event with its headers.
const HOST_ROW_BYTES_MAX: usize = (64 << 20) + ROW_OVERHEAD_BYTES;
/// The same where it is read on the thread that asks: while it is copied, that thread serves nobody.
const QUICK_ROW_BYTES_MAX: usize = GLANCE_BYTES_MAX;

/// How many columns a table or result may have, and arguments a function: each may hold a value of the largest size
/// at once.
const COLUMNS_MAX: i32 = 100;
/// The longest pattern of LIKE and GLOB: what they cost is its length times the text's, and nothing ends it half-way.
const PATTERN_BYTES_MAX: i32 = 128;

/// Where a database is and whose it is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) component: ComponentId,
    pub(crate) file: PathBuf,
    /// The state directory stays ours for as long as anybody, or the writer's thread, works with the file.
    pub(crate) _directory: ComponentDir,
    pub(crate) meter: Option<Arc<dyn StatementMeter>>,
    pub(crate) rejected: Option<Arc<dyn CountRejected>>,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Place {
    /// Something was refused because that resource is at its bound.
    pub(crate) fn reject(&self, resource: Resource) {
        if let Some(rejected) = &self.rejected {
            rejected.rejected(resource);
        }
    }
}

/// A connection with its guard and its control.
pub(crate) struct Connection {
    pub(super) raw: rusqlite::Connection,
    pub(super) guard: Arc<Guard>,
    pub(super) control: Arc<Control>,
    pub(super) place: Arc<Place>,
    pub(super) points: PointReads,
}

impl Connection {
    /// The one connection that writes. Creates the file and brings the host's tables up to date.
    pub(super) fn writer(place: &Arc<Place>, limits: &StorageLimits) -> Result<Self, StorageError> {
        let fresh = check_header(&place.file)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut raw = open(place, flags)?;
        prepare_file(&mut raw, place, fresh)?;
        let fail = |error| failure::of_host(&error, place);
        raw.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        raw.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        raw.pragma_update(None, "journal_size_limit", 16 << 20).map_err(fail)?;
        let connection = Self::finish(raw, place)?;
        connection.apply(limits)?;
        Ok(connection)
    }

    /// Put bounds into force that have changed since the file was opened. This one is the last resort: operations are
    /// refused before it, one by one, while SQLite would undo the whole transaction.
    pub(super) fn apply(&self, limits: &StorageLimits) -> Result<(), StorageError> {
        let pages_max = limits.storage_bytes / PAGE_BYTES;
        self.raw
            .pragma_update(None, "max_page_count", pages_max.max(64) as i64)
            .map_err(|error| failure::of_host(&error, &self.place))
    }

    /// How large a value may be that a guest's following statements make or read, with its row.
    pub(super) fn bound_guests_rows(&self, value_bytes: usize) -> Result<(), StorageError> {
        self.bound_rows(value_bytes + ROW_OVERHEAD_BYTES)
    }

    /// The same for the host's.
    pub(super) fn bound_hosts_rows(&self) -> Result<(), StorageError> {
        self.bound_rows(HOST_ROW_BYTES_MAX)
    }

    /// What is read next may wait and be large, or else is given up at once: on a thread that serves everybody.
    pub(super) fn take_time(&self, takes_time: bool) -> Result<(), StorageError> {
        let (wait, row_bytes) =
            if takes_time { (BUSY_WAIT, HOST_ROW_BYTES_MAX) } else { (Duration::ZERO, QUICK_ROW_BYTES_MAX) };
        self.raw.busy_timeout(wait).map_err(|error| failure::of_host(&error, &self.place))?;
        self.bound_rows(row_bytes)
    }

    fn bound_rows(&self, bytes: usize) -> Result<(), StorageError> {
        self.control.set_value_bytes_max(bytes);
        let bounded = self.raw.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes as i32);
        bounded.map(drop).map_err(|error| failure::of_host(&error, &self.place))
    }

    /// Bring the log back into the file if it has become large: readers that overlap without end keep SQLite from
    /// doing so by itself. Waits for the readers of this moment.
    pub(super) fn bound_log(&self) -> Result<(), StorageError> {
        let log = self.place.file.with_extension("db-wal");
        if std::fs::metadata(log).map_or(0, |metadata| metadata.len()) <= LOG_BYTES_MAX {
            return Ok(());
        }
        let checkpoint = self.raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        checkpoint.map_err(|error| failure::of_host(&error, &self.place))
    }

    /// Whether units may share a commit. Not if a foreign key is checked at the commit only: it would not be known
    /// whose it was that broke it.
    pub(super) fn shares_commits(&self) -> bool {
        let deferred = "SELECT 1 FROM sqlite_schema WHERE sql LIKE '%DEFERRED%' LIMIT 1 /* hull */";
        self.raw.prepare(deferred).and_then(|mut found| found.exists([])).is_ok_and(|found| !found)
    }

    /// A connection that cannot write. The file must have been opened by a writer before.
    pub(super) fn reader(place: &Arc<Place>) -> Result<Self, StorageError> {
        // Not read-only at the level of the file: the last connection to close has to clean up the log.
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let raw = open(place, flags)?;
        let fail = |error| failure::of_host(&error, place);
        raw.pragma_update(None, "query_only", true).map_err(fail)?;
        Self::finish(raw, place)
    }

    fn finish(mut raw: rusqlite::Connection, place: &Arc<Place>) -> Result<Self, StorageError> {
        let guard = Arc::new(Guard::new());
        let control = Arc::new(Control::new(Arc::clone(place), raw.get_interrupt_handle()));
        let (asked, stopping) = (Arc::clone(&guard), Arc::clone(&control));
        let authorize = move |context: AuthContext<'_>| asked.authorize(context);
        configure(&raw)
            .and_then(|()| replace_costly(&raw, &control))
            .and_then(|()| raw.authorizer(Some(authorize)))
            .and_then(|()| raw.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || stopping.must_stop())))
            .map_err(|error| failure::of_host(&error, place))?;
        Ok(Self { raw, guard, control, place: Arc::clone(place), points: PointReads::default() })
    }
}

fn configure(raw: &rusqlite::Connection) -> rusqlite::Result<()> {
    raw.pragma_update(None, "foreign_keys", true)?;
    raw.pragma_update(None, "cache_size", -CACHE_KIB)?;
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false)?;
    raw.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, MIGRATION_BYTES_MAX as i32)?;
    raw.set_limit(Limit::SQLITE_LIMIT_VARIABLE_NUMBER, PARAMETERS_MAX as i32)?;
    raw.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    raw.set_limit(Limit::SQLITE_LIMIT_COLUMN, COLUMNS_MAX)?;
    raw.set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, COLUMNS_MAX)?;
    raw.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 200)?;
    raw.set_limit(Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50)?;
    raw.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 32)?;
    raw.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    raw.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX)?;
    raw.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

fn open(place: &Place, flags: OpenFlags) -> Result<rusqlite::Connection, StorageError> {
    let opened = rusqlite::Connection::open_with_flags(&place.file, flags);
    let raw = opened.map_err(|error| failure::of_host(&error, place))?;
    raw.busy_timeout(BUSY_WAIT).map_err(|error| failure::of_host(&error, place))?;
    Ok(raw)
}

/// Create or upgrade the host's tables. A new file is made with a rollback journal, so that its header carries our
/// id from its first transaction on: with a write-ahead log the header would be written much later.
fn prepare_file(raw: &mut rusqlite::Connection, place: &Place, fresh: bool) -> Result<(), StorageError> {
    let fail = |error| failure::of_host(&error, place);
    let pragma = |name: &str| raw.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).map_err(fail);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: u32 = raw.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    let empty = application == 0 && version == 0 && tables == 0;
    if !empty {
        check_format(place, application, version)?;
    } else if !fresh {
        tracing::warn!(file = %place.file.display(), "the database file was empty; its tables are made anew");
    }
    if empty || version < schema::VERSION {
        raw.pragma_update(None, "page_size", PAGE_BYTES as i64).map_err(fail)?;
        let transaction = raw.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        schema::upgrade(&transaction, version).map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    Ok(())
}

/// Look at the file before SQLite does: SQLite would recover, convert or grow what is not ours to touch. `true` if
/// there is no file yet.
fn check_header(file: &Path) -> Result<bool, StorageError> {
    let corrupt = |message: String| StorageError::Corrupt { file: file.to_owned(), message };
    let mut header = [0_u8; 100];
    let read = match File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(StorageError::Other(format!("cannot open {}: {error}", file.display()))),
        Ok(mut opened) => {
            read_up_to(&mut opened, &mut header).map_err(|error| corrupt(format!("cannot be read: {error}")))?
        }
    };
    // A journal beside it means that the file's first transaction was cut short: SQLite undoes it.
    if read == 0 || file.with_extension("db-journal").exists() {
        return Ok(false);
    }
    if read < header.len() || !header.starts_with(b"SQLite format 3\0") {
        return Err(corrupt("is not an SQLite database; it is left as it is".to_owned()));
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let place = number(68);
    if place != schema::APPLICATION_ID {
        return Err(foreign(file, place));
    }
    Ok(false)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..)
        && !rest.is_empty()
    {
        match file.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn check_format(place: &Place, application: u32, version: u32) -> Result<(), StorageError> {
    if application != schema::APPLICATION_ID {
        return Err(foreign(&place.file, application));
    }
    if version > schema::VERSION {
        return Err(StorageError::Corrupt {
            file: place.file.clone(),
            message: format!(
                "was written by a later version of Hull (format {version}, this one knows {}); run that version",
                schema::VERSION
            ),
        });
    }
    Ok(())
}

fn foreign(file: &Path, application: u32) -> StorageError {
    StorageError::Corrupt {
        file: file.to_owned(),
        message: format!("is a database of another program (application id {application:#x}); it is left as it is"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn databases_have_no_lock_in_common() {
        let raw = rusqlite::Connection::open_in_memory().expect("opened");
        let has = |option: &str| {
            let asked = raw.query_row("SELECT sqlite_compileoption_used(?1)", [option], |row| row.get::<_, bool>(0));
            asked.expect("it tells")
        };
        assert!(has("DEFAULT_MEMSTATUS=0"), "what is allocated is counted under one lock for all databases");
        assert!(has("DISABLE_PAGECACHE_OVERFLOW_STATS"), "and so are the pages of their caches");
    }
}
