//! The native handler of the event bench on PostgreSQL: a task for each connection takes an event, writes mark and row in
//! one transaction, and acknowledges.

use std::sync::Arc;

use anyhow::Context as _;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::Stream;
use futures::StreamExt as _;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

/// As many as Hull gives one component of its 32.
const CONNECTIONS: usize = 12;
const SCHEMA: &str = "CREATE TABLE handled (seq bigserial PRIMARY KEY, n bigint NOT NULL UNIQUE);
    CREATE TABLE marks (id bigint PRIMARY KEY, at_ms bigint NOT NULL);";

/// Handle what comes, for ever.
pub(crate) async fn run(messages: Stream, database: &str, ready: impl FnOnce()) -> anyhow::Result<()> {
    let messages = Arc::new(Mutex::new(messages));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
        tokio::spawn(connection);
        clients.push(client);
    }
    clients.first().context("no connection")?.batch_execute(SCHEMA).await?;
    ready();
    let mut working = JoinSet::new();
    for client in clients {
        working.spawn(work(Arc::clone(&messages), client));
    }
    while let Some(ended) = working.join_next().await {
        ended??;
    }
    Ok(())
}

async fn work(messages: Arc<Mutex<Stream>>, mut client: Client) -> anyhow::Result<()> {
    let mark = client.prepare("INSERT INTO marks (id, at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING").await?;
    let row = client.prepare("INSERT INTO handled (n) VALUES ($1)").await?;
    loop {
        let next = messages.lock().await.next().await;
        let message: Message = next.context("no more events")??;
        let id = message.info().map_err(anyhow::Error::from_boxed)?.stream_sequence.cast_signed();
        let number: i64 = std::str::from_utf8(&message.payload)?.parse()?;
        let transaction = client.transaction().await?;
        if transaction.execute(&mark, &[&id, &hull_clock::unix_ms().cast_signed()]).await? == 1 {
            transaction.execute(&row, &[&number]).await?;
        }
        transaction.commit().await?;
        message.ack().await.map_err(anyhow::Error::from_boxed)?;
    }
}
