//! A component's private database: one per component, a cheap handle for everybody who works with it. Opening a
//! handle does nothing; the file, or the schema on a server, is made at the first use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::backend::Backend;
use crate::error::StorageError;
use crate::ledger::Ledger;
use crate::migrations::{Applied, Migration, to_run};
use crate::operation::ReadOnly;
use crate::options::{DatabaseOptions, StatementMeter, StorageLimits};
use crate::outbox::Outbox;
use crate::postgres::{self, OnPostgres, PostgresServer};
use crate::session::{Session, SessionOptions};
use crate::sqlite::{self, AppliedMigrations, Check, Measure, Measured, Migrate, Place};
use crate::state_dir::ComponentDir;

/// The name of the file in the component's folder.
const FILE_NAME: &str = "data.db";

/// See the module.
#[derive(Clone)]
pub struct Database {
    pub(crate) backend: Backend,
    /// Whom reads of runs without effect are charged to, if not to the component.
    pub(crate) meter: Option<Arc<dyn StatementMeter>>,
}

/// What status and metrics say of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Bytes in use, of the guest and of the host together.
    pub bytes_used: u64,
    /// Bytes that the component may use.
    pub bytes_limit: u64,
    /// Events that the bus does not hold yet.
    pub outbox_rows: u64,
    /// Dead letters that are kept.
    pub dead_letters: u64,
    /// Units that wait for the writer.
    pub units_waiting: usize,
    /// Transactions committed since the handle was made; fewer than units when some shared one.
    pub commits: u64,
}

impl Database {
    /// A handle. There must be one per component and process: clones of it share the writer.
    pub fn new(directory: &ComponentDir, options: DatabaseOptions) -> Self {
        let DatabaseOptions { component, limits, meter, rejected, sabotage } = options;
        let file = directory.path().join(FILE_NAME);
        let place = Place { component, file, _directory: directory.clone(), meter, rejected, sabotage };
        Self { backend: Backend::Sqlite(sqlite::Backend::new(place, limits)), meter: None }
    }

    /// A handle on a component's schema of a PostgreSQL database. There must be one per component and process.
    pub fn on_postgres(server: &PostgresServer, options: DatabaseOptions) -> Self {
        Self { backend: Backend::Postgres(postgres::Backend::new(server, options)), meter: None }
    }

    /// The same database for a version that is run without effect: what it reads is charged to this one. On a server
    /// nothing is.
    #[must_use]
    pub fn charged_to(&self, meter: Arc<dyn StatementMeter>) -> Self {
        Self { meter: Some(meter), ..self.clone() }
    }

    /// Read for a run without effect.
    pub(crate) async fn read_only<O: OnPostgres>(
        &self,
        operation: O,
        deadline: Instant,
    ) -> Result<O::Output, StorageError> {
        let operation = ReadOnly { operation, meter: self.meter.clone() };
        self.backend.read(operation, Some(deadline)).await
    }

    /// Where the file is, or will be; none on a server.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.backend {
            Backend::Sqlite(backend) => Some(backend.place().file.clone()),
            Backend::Postgres(_) => None,
        }
    }

    /// Whether the file has been made. Without it there are no events to relay and nothing to prune.
    pub fn exists(&self) -> bool {
        self.backend.exists()
    }

    /// Whether the file is open at the moment: it is closed after a while without use, and asking for its statistics
    /// opens it again.
    pub fn is_open(&self) -> bool {
        self.backend.is_open()
    }

    /// What one invocation holds. Costs one allocation and does no I/O.
    pub fn session(&self, options: SessionOptions) -> Session {
        Session::new(self.clone(), options)
    }

    /// The outbox, for the relay.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.clone())
    }

    /// Marks, attempts and dead letters, for whoever delivers events.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.clone())
    }

    /// Whether this host may work with it: not beside another one on the same server if the bus of either is its own.
    /// The error says what to do.
    pub async fn claim(&self) -> Result<(), StorageError> {
        match &self.backend {
            // The state directory is locked.
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(backend) => backend.claim().await,
        }
    }

    /// Run what is missing of the migrations, in order; the numbers that ran. Reads go on meanwhile, writes wait. After
    /// an error, those before the failing one have run and the failing one has not. Dropping the future interrupts the
    /// one that runs, and undoes it.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<u32>, StorageError> {
        let applied = self.applied_migrations().await?;
        let missing = to_run(migrations, &applied)?;
        let mut ran = Vec::with_capacity(missing.len());
        for migration in missing {
            let (component, number, name) = (self.backend.component(), migration.number, &migration.name);
            tracing::info!("migration {number}_{name} of {component} is running");
            self.backend.write(Migrate(migration.clone()), None).await?;
            tracing::info!("migration {number}_{name} of {component} is done");
            ran.push(migration.number);
        }
        Ok(ran)
    }

    /// The migrations that have run, in order.
    pub async fn applied_migrations(&self) -> Result<Vec<Applied>, StorageError> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        self.backend.read(AppliedMigrations, None).await
    }

    /// Read the whole file and say what is damaged. Takes time by the size of the file.
    pub async fn check(&self) -> Result<(), StorageError> {
        if !self.exists() {
            return Ok(());
        }
        self.backend.read(Check, None).await
    }

    /// What status and metrics want to know.
    pub async fn statistics(&self) -> Result<Statistics, StorageError> {
        let Measured { bytes_used, outbox_rows, dead_letters } =
            if self.exists() { self.backend.read(Measure, None).await? } else { Measured::default() };
        Ok(Statistics {
            bytes_used,
            bytes_limit: self.limits().storage_bytes,
            outbox_rows,
            dead_letters,
            units_waiting: self.backend.waiting(),
            commits: self.backend.commits(),
        })
    }

    /// The bounds of now.
    pub fn limits(&self) -> StorageLimits {
        StorageLimits::clone(&self.backend.limits())
    }

    /// New bounds, from the next unit on. The number of readers stays what it was.
    pub fn set_limits(&self, limits: StorageLimits) {
        self.backend.set_limits(limits);
    }

    /// Take no more work, finish what waits and close the file. Without it the file is closed after the idle time.
    pub async fn close(&self) {
        self.backend.close().await;
    }
}
