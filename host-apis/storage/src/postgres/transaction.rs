//! Transactions: how one begins, how it is committed with what goes with the commit, and what became of one whose
//! connection was lost while it was committed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::events::mark;
use super::operation::OnPostgres;
use super::outbox::put_all;
use super::scope::{Scope, column};
use crate::error::StorageError;
use crate::event::{EventIdentity, Finished};
use crate::options::Sabotage;

/// What a guest's text may have left behind on its connection: settings, locks, cursors.
const RESET: &str = "RESET ALL; SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *";
/// How long the server is asked what became of a transaction, and how often.
const OUTCOME_TIME: Duration = Duration::from_secs(10);
const OUTCOME_EVERY: Duration = Duration::from_millis(100);

/// The isolation of a transaction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Isolation {
    /// Of one operation that stands alone: each statement is right by itself.
    ReadCommitted,
    /// Of a unit of work.
    RepeatableRead,
}

/// A transaction that is open.
#[derive(Default)]
pub(super) struct Transaction {
    /// Its number, once something may have been written: by it the server knows later what became of it.
    number: Option<String>,
    /// Whether its commit comes with the mark of an event, which tells the same when the event comes again.
    of_event: bool,
}

impl Transaction {
    /// Begin with what comes next.
    pub(super) fn begin(scope: &Scope<'_>, isolation: Isolation) -> Self {
        scope.link.send(match isolation {
            Isolation::ReadCommitted => "BEGIN",
            Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        });
        Self::default()
    }

    /// One that is committed with the mark of an event.
    pub(super) fn of_event(scope: &Scope<'_>, isolation: Isolation) -> Self {
        Self { of_event: true, ..Self::begin(scope, isolation) }
    }

    /// It was undone and is another one now.
    pub(super) fn began_anew(&mut self) {
        self.number = None;
    }

    /// Run an operation in it.
    pub(super) async fn run<O: OnPostgres>(
        &mut self,
        scope: &mut Scope<'_>,
        operation: &O,
        writes: bool,
    ) -> Result<O::Output, StorageError> {
        if !writes || self.of_event || self.number.is_some() {
            return operation.on_postgres(scope).await;
        }
        let link = scope.link;
        let number = link.client().query_typed_one("SELECT pg_current_xact_id()::text", &[]);
        // Sent together, in this order.
        let (number, result) = futures::join!(number, operation.on_postgres(scope));
        self.number = number.ok().and_then(|row| row.try_get(0).ok());
        result
    }

    /// Commit with what was published and the mark, if an event was handled. After an error nothing of it happened, unless
    /// the error says that it may have.
    pub(super) async fn commit(
        self,
        scope: &mut Scope<'_>,
        identity: Option<&EventIdentity>,
    ) -> Result<Finished, StorageError> {
        let published = std::mem::take(&mut scope.published);
        let identity = identity.filter(|_| scope.shared.sabotage != Some(Sabotage::HandledMarks));
        let is_safe = self.number.is_some() || (self.of_event && identity.is_some()) || published.is_empty();
        let shared_scope = &*scope;
        // One message to the server and one answer, where each costs as much as a small statement.
        let end = if scope.guest_ran { format!("COMMIT; {RESET}") } else { "COMMIT".to_owned() };
        let ahead = async {
            let scope = shared_scope;
            let put = put_all(scope, &published);
            // Without an answer, to the mark or to this, an error before the commit would not be seen.
            let alive = async { if identity.is_some() { Ok(0) } else { scope.host_execute("SELECT 1", &[]).await } };
            let (put, marked, alive) = futures::join!(put, mark(scope, identity), alive);
            put?;
            let finished = marked?;
            alive?;
            Ok::<_, StorageError>(finished)
        };
        let commit = shared_scope.link.end(&end);
        let (finished, committed) = if is_safe {
            futures::join!(ahead, commit)
        } else {
            // Nothing else would tell whether it was committed if the connection is lost now.
            match ahead.await {
                Ok(finished) => (Ok(finished), commit.await),
                Err(error) => {
                    scope.link.send("ROLLBACK");
                    return Err(error);
                }
            }
        };
        if committed.is_ok() {
            scope.guest_ran = false;
        }
        let lost = match (&finished, committed) {
            (_, Ok(())) => None,
            (_, Err(Some(error))) => Some(scope.failure(&error).await),
            (_, Err(None)) => Some(StorageError::Unreachable("PostgreSQL does not answer".to_owned())),
        };
        let finished = match lost {
            None => finished?,
            Some(_) if !scope.link.is_usable() => self.outcome(scope).await?,
            Some(error) => return Err(finished.err().unwrap_or(error)),
        };
        if finished == Finished::Committed {
            scope.shared.commits.fetch_add(1, Ordering::Relaxed);
            if scope.outbox_touched {
                scope.shared.outbox_changed.notify_one();
            }
        }
        Ok(finished)
    }

    /// What became of it, now that nobody has said so.
    async fn outcome(&self, scope: &Scope<'_>) -> Result<Finished, StorageError> {
        let lost = || StorageError::Other("the connection to PostgreSQL was lost before the commit".to_owned());
        let unknown = || {
            let text = "the connection to PostgreSQL was lost during the commit, and the server cannot say what became \
                        of it: it may have been committed";
            StorageError::Other(text.to_owned())
        };
        // The mark of an event is found before that is tried again, or when that commits.
        let Some(number) = &self.number else { return Err(unknown()) };
        let until = hull_clock::now() + OUTCOME_TIME;
        while hull_clock::now() < until {
            match fate(scope, number).await {
                Ok(Fate::Committed) => return Ok(Finished::Committed),
                Ok(Fate::Undone) => return Err(lost()),
                Ok(Fate::Unknown) => break,
                Ok(Fate::Open) | Err(_) => tokio::time::sleep_until((hull_clock::now() + OUTCOME_EVERY).into()).await,
            }
        }
        Err(unknown())
    }
}

/// What became of a transaction.
enum Fate {
    Committed,
    Undone,
    Open,
    /// Its number says nothing.
    Unknown,
}

/// A server that has crashed gives out numbers again of transactions of which nothing was on its disk: theirs may then be
/// the number of one that was committed.
async fn fate(scope: &Scope<'_>, number: &String) -> Result<Fate, StorageError> {
    let (shared, born) = (scope.shared, scope.link.generation());
    let opened = shared.opened().await?;
    let lease = shared.server.connection(&shared.server.host_login(), None).await?;
    let scope = Scope::new(shared, &opened, lease.link()?, false);
    let is_number_ours = scope.link.generation() == born;
    let row = scope.host_row("SELECT coalesce(pg_xact_status($1::xid8), '')", &[(number, Type::TEXT)]).await;
    let status: String = match row {
        Ok(row) => row.map_or_else(|| Ok(String::new()), |row| column(&row, 0))?,
        // It may be one that was not given out again yet.
        Err(_) if !is_number_ours => return Ok(Fate::Unknown),
        Err(error) => return Err(error),
    };
    Ok(match status.as_str() {
        "aborted" => Fate::Undone,
        "committed" if is_number_ours => Fate::Committed,
        _ if !is_number_ours => Fate::Unknown,
        _ => Fate::Open,
    })
}

/// Leave the connection as if nobody had used it.
pub(super) fn reset(scope: &Scope<'_>) {
    if scope.guest_ran {
        scope.link.send(RESET);
    }
}
