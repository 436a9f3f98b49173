//! One connection to the server. The library's client sends what it is given in order, whether or not anybody waits for
//! the answers: so what cannot fail (a savepoint, a reset) is sent ahead of what matters and costs no turn of its own.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Statement};

use super::stream::{Address, Wrap};

/// How long connecting may take, and how long a request to cancel.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long the end of a transaction may take.
const END_TIME: Duration = Duration::from_secs(30);
/// How many compiled statements one connection keeps.
const STATEMENTS_KEPT: usize = 64;
/// How long a text may be whose compiled statement is kept, in bytes.
const KEPT_BYTES_MAX: usize = 8 * 1024;

/// What is another one once the server has crashed, and so has given up what it had not written.
const GENERATION: &str = "SELECT pg_postmaster_start_time()::text || ' ' || coalesce(stats_reset::text, '') \
                          FROM pg_stat_bgwriter";

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The server has answered.
    Refused(tokio_postgres::Error),
    /// Nobody has.
    Unreachable(String),
}

/// See the module.
pub(super) struct Link {
    client: Client,
    address: Address,
    wrap: Wrap,
    statements: Mutex<Statements>,
    /// Of the server, which no connection outlives.
    generation: String,
    /// Since when there is this connection.
    pub(super) born: Instant,
    /// Why it ended, as far as it is known.
    ended: Arc<OnceLock<Ended>>,
    /// It is not to be used again.
    broken: AtomicBool,
}

/// Why a connection has ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// A row was larger than the host reads.
    TooLarge,
    /// The server or the network.
    Lost(String),
}

#[derive(Default)]
struct Statements {
    compiled: HashMap<String, Statement>,
    order: VecDeque<String>,
}

impl Link {
    /// Connect. `told` gets what others tell on the channels that are listened to.
    pub(super) async fn connect(
        address: &Address,
        wrap: &Wrap,
        config: &Config,
        told: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, ConnectError> {
        let connecting = Self::connect_now(address, wrap, config, told);
        let timed_out = || ConnectError::Unreachable(format!("no answer within {CONNECT_TIME:?}"));
        tokio::time::timeout(CONNECT_TIME, connecting).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn connect_now(
        address: &Address,
        wrap: &Wrap,
        config: &Config,
        told: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, ConnectError> {
        let unreachable = |error: io::Error| ConnectError::Unreachable(error.to_string());
        let socket = wrap.below(address.connect().await.map_err(unreachable)?);
        let mut config = config.clone();
        config.ssl_mode(wrap.mode());
        let ended = Arc::new(OnceLock::new());
        let tell = Arc::clone(&ended);
        let (client, mut connection) = config.connect_raw(socket, wrap.clone()).await.map_err(ConnectError::Refused)?;
        tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(notification)) => told(notification.payload()),
                    Ok(_) => {}
                    Err(error) => {
                        let _ = tell.set(of_connection(error));
                        return;
                    }
                }
            }
        });
        let generation = client.query_typed_one(GENERATION, &[]).await.and_then(|row| row.try_get(0));
        Ok(Self {
            client,
            generation: generation.map_err(ConnectError::Refused)?,
            address: address.clone(),
            wrap: wrap.clone(),
            statements: Mutex::default(),
            born: hull_clock::now(),
            ended,
            broken: AtomicBool::new(false),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Which life of the server it is a connection to: numbers of transactions are its own only within that.
    pub(super) fn generation(&self) -> &str {
        &self.generation
    }

    /// Send statements whose answer nobody needs: they cannot fail unless the connection does, or what comes next fails
    /// with them.
    pub(super) fn send(&self, sql: &str) {
        // The first poll puts it into the queue.
        let _ = self.client.batch_execute(sql).now_or_never();
    }

    /// End a transaction or a part of it. Without an answer in time the connection is given up.
    pub(super) async fn end(&self, sql: &str) -> Result<(), Option<tokio_postgres::Error>> {
        let Ok(ended) = tokio::time::timeout(END_TIME, self.client.batch_execute(sql)).await else {
            self.break_off();
            return Err(None);
        };
        ended.map_err(Some)
    }

    /// A compiled statement. A guest's names of parameters have no types, so that the server finds them.
    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        self.prepare_typed(sql, &[]).await
    }

    /// The same with the types of the first parameters.
    pub(super) async fn prepare_typed(&self, sql: &str, types: &[Type]) -> Result<Statement, tokio_postgres::Error> {
        if let Some(kept) = self.kept(sql) {
            return Ok(kept);
        }
        let statement = self.client.prepare_typed(sql, types).await?;
        if sql.len() <= KEPT_BYTES_MAX {
            let mut statements = self.statements.lock();
            if statements.compiled.insert(sql.to_owned(), statement.clone()).is_none() {
                statements.order.push_back(sql.to_owned());
            }
            if statements.order.len() > STATEMENTS_KEPT
                && let Some(oldest) = statements.order.pop_front()
            {
                statements.compiled.remove(&oldest);
            }
        }
        Ok(statement)
    }

    /// A statement that has been compiled before.
    pub(super) fn kept(&self, sql: &str) -> Option<Statement> {
        self.statements.lock().compiled.get(sql).cloned()
    }

    /// Forget what is compiled: the schema has changed.
    pub(super) fn forget_statements(&self) {
        *self.statements.lock() = Statements::default();
    }

    /// Have the statement ended that runs. When it returns, the server knows, so that no later statement is hit.
    pub(super) fn cancel(&self) -> BoxFuture<'_, ()> {
        self.cancel_now().boxed()
    }

    async fn cancel_now(&self) {
        let token = self.client.cancel_token();
        let cancelling = async {
            // The request is done when the server closes: only then can no later statement be hit.
            let socket = self.address.connect().await?.until_closed();
            let cancelled = match self.wrap.mode() {
                tokio_postgres::config::SslMode::Require => token.cancel_query_raw(socket, self.wrap.clone()).await,
                _ => token.cancel_query_raw(socket, NoTls).await,
            };
            cancelled.map_err(io::Error::other)
        };
        let cancelled = tokio::time::timeout(CONNECT_TIME, cancelling).await;
        if !matches!(cancelled, Ok(Ok(()))) {
            self.break_off();
        }
    }

    /// It is not to be used again.
    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Whether it can be used.
    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Acquire) && !self.client.is_closed()
    }

    /// Whether it has ended by itself.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Why it has ended. The one who reads from it may know a moment later than the one who waits for an answer.
    pub(super) async fn why_ended(&self) -> Ended {
        for _ in 0..100 {
            if let Some(ended) = self.ended.get() {
                return ended.clone();
            }
            tokio::task::yield_now().await;
        }
        Ended::Lost("the connection was closed".to_owned())
    }
}

fn of_connection(error: tokio_postgres::Error) -> Ended {
    let text = described(&error);
    let source = error.into_source();
    let io = source.as_ref().and_then(|source| source.downcast_ref::<io::Error>());
    if io.is_some_and(|io| io.kind() == io::ErrorKind::FileTooLarge) { Ended::TooLarge } else { Ended::Lost(text) }
}

/// The library's errors say what happened, and why in their sources.
pub(super) fn described(error: &tokio_postgres::Error) -> String {
    if let Some(database) = error.as_db_error() {
        return format!("{} ({})", database.message(), database.code().code());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
