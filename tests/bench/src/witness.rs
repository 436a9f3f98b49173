//! Sees from outside when an event is handled: when its row can be read by others, which is after the commit.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags};
use tokio_postgres::{Client, NoTls, Statement};

/// How often it looks; latencies are right to within this.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Looks until it is dropped.
pub(crate) struct Witness {
    seen: Arc<Mutex<Vec<(u64, Instant)>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Witness {
    /// Of the table `handled` in an SQLite database.
    pub(crate) fn of_sqlite(file: &Path) -> anyhow::Result<Self> {
        let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .with_context(|| format!("cannot open {}", file.display()))?;
        let mut last = 0_i64;
        Ok(Self::watching(move || {
            let mut statement = database.prepare_cached("SELECT seq, n FROM handled WHERE seq > ?1 ORDER BY seq")?;
            let rows = statement.query_map([last], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            let mut numbers = Vec::new();
            for row in rows {
                let (seq, number) = row?;
                last = seq;
                numbers.push(number.cast_unsigned());
            }
            Ok(numbers)
        }))
    }

    /// Of the table `handled` in a PostgreSQL schema. Rows of transactions that run at once do not come in the order of
    /// their numbers, so it looks again from the lowest that has not come.
    pub(crate) fn of_postgres(url: &str, schema: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (url, sql) =
            (url.to_owned(), format!("SELECT seq, n FROM \"{schema}\".handled WHERE seq > $1 ORDER BY seq"));
        let mut asking: Option<(Client, Statement)> = None;
        let (mut all_until, mut beyond) = (0_i64, BTreeSet::new());
        Ok(Self::watching(move || {
            runtime.block_on(async {
                let (client, statement) = match &mut asking {
                    Some(asking) => asking,
                    none => {
                        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
                        tokio::spawn(connection);
                        let statement = client.prepare(&sql).await?;
                        none.insert((client, statement))
                    }
                };
                let mut numbers = Vec::new();
                for row in client.query(statement, &[&all_until]).await? {
                    if beyond.insert(row.try_get::<_, i64>(0)?) {
                        numbers.push(row.try_get::<_, i64>(1)?.cast_unsigned());
                    }
                }
                while beyond.remove(&(all_until + 1)) {
                    all_until += 1;
                }
                Ok(numbers)
            })
        }))
    }

    /// `look` gives the numbers that have come since it was asked the last time.
    fn watching(mut look: impl FnMut() -> anyhow::Result<Vec<u64>> + Send + 'static) -> Self {
        let (seen, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (its_seen, its_is_over) = (Arc::clone(&seen), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !its_is_over.load(Ordering::Relaxed) {
                let numbers = look()?;
                let now = hull_clock::now();
                let mut seen = its_seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.extend(numbers.into_iter().map(|number| (number, now)));
                drop(seen);
                std::thread::sleep(LOOK_EVERY);
            }
            Ok(())
        });
        Self { seen, is_over, thread: Some(thread) }
    }

    /// Wait until so many have been seen since the last call, and take them.
    pub(crate) async fn take(&self, count: usize, until: Instant) -> anyhow::Result<Vec<(u64, Instant)>> {
        loop {
            {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.len() >= count {
                    return Ok(std::mem::take(&mut *seen));
                }
                anyhow::ensure!(hull_clock::now() < until, "{} of {count} events were handled in time", seen.len());
            }
            let stopped = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
            anyhow::ensure!(!stopped, "the database cannot be read");
            tokio::time::sleep_until((hull_clock::now() + Duration::from_millis(1)).into()).await;
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it could not read was told by `take`.
            let _ = thread.join();
        }
    }
}
