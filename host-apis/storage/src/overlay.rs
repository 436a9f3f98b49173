//! Storage of a run without effect: it reads what is there, sees what it has written itself, and leaves nothing. Nothing of
//! it waits for the writer, so that it cannot hold up those whose work counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_invocation::{CallFrame, Player, Tape};
use parking_lot::Mutex;

use crate::error::StorageError;
use crate::value::Swapped;

/// What one run may write, in bytes of keys and values.
const WRITTEN_BYTES_MAX: usize = 1 << 20;

/// Why a statement is refused to it.
pub(crate) const MAY_WRITE: &str = "it ran a statement that may write";

/// What a run without effect has written.
pub(crate) struct Overlay {
    tape: Arc<Tape>,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    /// None for a key that it took out.
    values: BTreeMap<String, Option<Vec<u8>>>,
    bytes: usize,
    /// What was there when the unit of work was begun that is open.
    begun: Option<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Overlay {
    /// One for the invocation of this frame, if it has no effect.
    pub(crate) fn of(frame: &CallFrame) -> Option<Self> {
        let tape = frame.tape().filter(|tape| tape.player().is_some())?;
        Some(Self { tape: Arc::clone(tape), written: Mutex::default() })
    }

    fn note(&self, reason: &str) {
        if let Some(player) = self.tape.player() {
            Player::note(player, reason.to_owned());
        }
    }

    /// Something that a run without effect cannot do.
    pub(crate) fn denied(&self, what: &str) -> StorageError {
        self.note(what);
        StorageError::Denied(format!("this is a shadow run, whose writes go nowhere: {what}"))
    }

    /// An error of a statement: what the database has refused is something that it cannot do as well.
    pub(crate) fn noted(&self, error: StorageError) -> StorageError {
        if error == StorageError::Denied(MAY_WRITE.to_owned()) { self.denied(MAY_WRITE) } else { error }
    }

    /// What it has written under a key; none if nothing.
    pub(crate) fn value(&self, key: &str) -> Option<Option<Vec<u8>>> {
        self.written.lock().values.get(key).cloned()
    }

    /// Whether it has written any key.
    pub(crate) fn has_written(&self) -> bool {
        !self.written.lock().values.is_empty()
    }

    pub(crate) fn write(&self, values: Vec<(String, Option<Vec<u8>>)>) -> Result<(), StorageError> {
        let more: usize = values.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum();
        let mut written = self.written.lock();
        if written.bytes + more > WRITTEN_BYTES_MAX {
            drop(written);
            return Err(self.denied("it wrote more than 1 MiB"));
        }
        written.bytes += more;
        written.values.extend(values);
        Ok(())
    }

    pub(crate) fn begin(&self) -> Result<(), StorageError> {
        let mut written = self.written.lock();
        if written.begun.is_some() {
            return Err(StorageError::AlreadyOpen);
        }
        written.begun = Some(written.values.clone());
        Ok(())
    }

    pub(crate) fn end(&self, keep: bool) -> Result<(), StorageError> {
        let mut written = self.written.lock();
        let before = written.begun.take().ok_or(StorageError::NotOpen)?;
        if !keep {
            written.values = before;
        }
        Ok(())
    }

    pub(crate) fn is_unit_open(&self) -> bool {
        self.written.lock().begun.is_some()
    }

    /// As the database would, from what is there now.
    pub(crate) fn increment(&self, key: String, delta: i64, now: Option<Vec<u8>>) -> Result<i64, StorageError> {
        let present = match now {
            None => 0,
            Some(value) => std::str::from_utf8(&value)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| StorageError::Invalid(format!("the value of {key:?} is not a decimal number")))?,
        };
        let sum = present
            .checked_add(delta)
            .ok_or_else(|| StorageError::Invalid(format!("{present} and {delta} add up to more than 64 bits hold")))?;
        self.write(vec![(key, Some(sum.to_string().into_bytes()))])?;
        Ok(sum)
    }

    /// The same for a value that is replaced if it is the expected one.
    pub(crate) fn swap(
        &self,
        key: String,
        expected: Option<&[u8]>,
        value: Vec<u8>,
        now: Option<Vec<u8>>,
    ) -> Result<Swapped, StorageError> {
        if now.as_deref() != expected {
            return Ok(Swapped::Changed(now));
        }
        self.write(vec![(key, Some(value))]).map(|()| Swapped::Done)
    }
}

/// Whether a statement begins like a read. One that writes after all is refused by PostgreSQL; SQLite knows none.
pub(crate) fn only_reads(sql: &str) -> bool {
    let word = sql.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("values")
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use hull_invocation::{ComponentId, Lineage, Player, Tape};

    use super::MAY_WRITE;
    use crate::database::Database;
    use crate::error::StorageError;
    use crate::operation::ReadOnly;
    use crate::options::{DatabaseOptions, MeteredWork, StatementMeter};
    use crate::session::{Session, SessionOptions};
    use crate::sqlite::Query;
    use crate::state_dir::ComponentDir;
    use crate::value::Swapped;

    fn session(database: &Database, tape: Option<Tape>) -> Session {
        let lineage = Lineage::root(ComponentId::new("shop", "orders"));
        if let Some(tape) = tape {
            lineage.frame().attach(Arc::new(tape));
        }
        let deadline = hull_clock::now() + Duration::from_secs(30);
        let frame = Arc::clone(lineage.frame());
        database.session(SessionOptions { frame, deadline, event: None, expects_reply: false })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_taken_for_a_read_writes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let database = Database::new(&directory, DatabaseOptions::new(ComponentId::new("shop", "orders")));
        let real = session(&database, None);
        real.execute("CREATE TABLE t (n INTEGER)".to_owned(), Vec::new()).await.expect("made");
        let insert = Query { sql: "INSERT INTO t VALUES (1)".to_owned(), parameters: Vec::new() };
        let deadline = Some(hull_clock::now() + Duration::from_secs(30));
        let refused = database.backend.read(ReadOnly { operation: insert, meter: None }, deadline).await;
        assert_eq!(refused, Err(StorageError::Denied(MAY_WRITE.to_owned())));
        let rows = real.query("SELECT n FROM t".to_owned(), Vec::new()).await.expect("read").rows;
        assert!(rows.is_empty(), "{rows:?}");
    }

    /// Counts the statements that are charged to it.
    #[derive(Default)]
    struct Charged(AtomicUsize);

    impl StatementMeter for Charged {
        fn begin(&self) -> Box<dyn MeteredWork> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::new(Unheard)
        }

        fn may_glance(&self) -> bool {
            false
        }
    }

    struct Unheard;

    impl MeteredWork for Unheard {
        fn step(&mut self) {}
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_run_without_effect_reads_is_not_on_the_account_of_the_component() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let (serving, trying) = (Arc::new(Charged::default()), Arc::new(Charged::default()));
        let meter: Arc<dyn StatementMeter> = Arc::clone(&serving) as _;
        let options =
            DatabaseOptions { meter: Some(meter), ..DatabaseOptions::new(ComponentId::new("shop", "orders")) };
        let database = Database::new(&directory, options);
        session(&database, None).set("a".to_owned(), b"1".to_vec()).await.expect("set");
        let before = serving.0.load(Ordering::SeqCst);
        assert!(before > 0);
        let tried = database.charged_to(Arc::clone(&trying) as _);
        let shadow = session(&tried, Some(Tape::Playing(Player::new(Vec::new()))));
        shadow.query("SELECT 1".to_owned(), Vec::new()).await.expect("read");
        assert_eq!(shadow.get("a".to_owned()).await.expect("get").as_deref(), Some(&b"1"[..]));
        assert_eq!((serving.0.load(Ordering::SeqCst), trying.0.load(Ordering::SeqCst)), (before, 2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_run_without_effect_sees_what_it_wrote_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let database = Database::new(&directory, DatabaseOptions::new(ComponentId::new("shop", "orders")));
        let real = session(&database, None);
        real.set("kept".to_owned(), b"1".to_vec()).await.expect("set");
        let shadow = session(&database, Some(Tape::Playing(Player::new(Vec::new()))));
        let get = async |key: &str| shadow.get(key.to_owned()).await.expect("get");
        assert_eq!(get("kept").await.as_deref(), Some(&b"1"[..]));
        assert_eq!(shadow.increment("kept".to_owned(), 4).await, Ok(5));
        shadow.set("new".to_owned(), b"x".to_vec()).await.expect("set");
        shadow.begin().expect("begin");
        shadow.delete("kept".to_owned()).await.expect("delete");
        assert_eq!(get("kept").await, None);
        assert_eq!(shadow.exists("kept".to_owned()).await, Ok(false));
        shadow.rollback().await.expect("rollback");
        assert_eq!(get("kept").await.as_deref(), Some(&b"5"[..]));
        let swapped = shadow.swap("new".to_owned(), Some(b"y".to_vec()), Vec::new()).await;
        assert_eq!(swapped, Ok(Swapped::Changed(Some(b"x".to_vec()))));
        let denied = shadow.execute("INSERT INTO t VALUES (1)".to_owned(), Vec::new()).await;
        assert!(matches!(denied, Err(StorageError::Denied(_))), "{denied:?}");
        let denied = shadow.query("WITH x AS (SELECT 1) DELETE FROM t".to_owned(), Vec::new()).await;
        assert!(matches!(denied, Err(StorageError::Denied(_))), "{denied:?}");
        assert!(shadow.query("SELECT 1".to_owned(), Vec::new()).await.is_ok());
        assert_eq!(real.get("kept".to_owned()).await.expect("get").as_deref(), Some(&b"1"[..]));
        assert_eq!(real.exists("new".to_owned()).await, Ok(false));
    }
}
