//! What a service does without Hull, for the event bench: a pull consumer with explicit acks, and, before an event is
//! acknowledged, its row and the mark that makes a redelivery harmless. On SQLite a thread writes what is ready in one
//! transaction; on PostgreSQL each event has one of its own, as many at once as there are connections.
//! Arguments: the URL of NATS, and the database: a file, or a URL.

mod native_postgres;

use std::sync::mpsc;

use anyhow::Context as _;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Message, stream};
use futures::StreamExt as _;
use rusqlite::Connection;

/// Events that are out at once, and that share a commit: what Hull is given as well.
const AT_ONCE: usize = 64;
/// There is no address to ask.
const READY: &str = r#"{"event":"ready","listen":"127.0.0.1:9"}"#;
const SCHEMA: &str = "CREATE TABLE handled (seq INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL UNIQUE);
    CREATE TABLE marks (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL);";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (url, database) = arguments.next().zip(arguments.next()).context("arguments: URL DATABASE")?;
    let context = jetstream::new(async_nats::connect(url).await?);
    let config = stream::Config {
        name: "hull-bench".to_owned(),
        subjects: vec!["hull.bench.>".to_owned()],
        ..stream::Config::default()
    };
    let stream = context.get_or_create_stream(config).await?;
    let config = pull::Config {
        durable_name: Some("native".to_owned()),
        ack_policy: AckPolicy::Explicit,
        filter_subject: "hull.bench.work.item".to_owned(),
        max_ack_pending: AT_ONCE as i64,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer("native", config).await?;
    let mut messages = consumer.stream().max_messages_per_batch(AT_ONCE).messages().await?;

    if database.starts_with("postgres://") {
        return native_postgres::run(messages, &database, || println!("{READY}")).await;
    }
    let database = open(&database)?;
    let (ready, taken) = mpsc::channel::<Message>();
    let (written, mut handled) = tokio::sync::mpsc::unbounded_channel::<Message>();
    let writer = std::thread::spawn(move || write(&database, &taken, &written));
    println!("{READY}");
    loop {
        tokio::select! {
            Some(message) = messages.next() => if ready.send(message?).is_err() { break },
            Some(message) = handled.recv() => message.ack().await.map_err(anyhow::Error::from_boxed)?,
            else => break,
        }
    }
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?
}

/// As durable as Hull's own: written ahead, and synced at each commit.
fn open(file: &str) -> anyhow::Result<Connection> {
    let database = Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch(SCHEMA)?;
    Ok(database)
}

fn write(
    database: &Connection,
    taken: &mpsc::Receiver<Message>,
    written: &tokio::sync::mpsc::UnboundedSender<Message>,
) -> anyhow::Result<()> {
    while let Ok(first) = taken.recv() {
        let messages: Vec<Message> = std::iter::once(first).chain(taken.try_iter().take(AT_ONCE - 1)).collect();
        database.execute_batch("BEGIN IMMEDIATE")?;
        for message in &messages {
            handle(database, message)?;
        }
        database.execute_batch("COMMIT")?;
        for message in messages {
            written.send(message).map_err(|_| anyhow::anyhow!("nobody acknowledges"))?;
        }
    }
    Ok(())
}

fn handle(database: &Connection, message: &Message) -> anyhow::Result<()> {
    let id = message.info().map_err(anyhow::Error::from_boxed)?.stream_sequence.cast_signed();
    let at_ms = hull_clock::unix_ms().cast_signed();
    let mut mark = database.prepare_cached("INSERT INTO marks (id, at_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    if mark.execute((id, at_ms))? == 1 {
        let number: i64 = std::str::from_utf8(&message.payload)?.parse()?;
        database.prepare_cached("INSERT INTO handled (n) VALUES (?1)")?.execute([number])?;
    }
    Ok(())
}
