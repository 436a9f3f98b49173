//! The process is killed while it writes: what was answered is there, and every unit is there whole or not at all.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hull_storage::{EventIdentity, Finished, Value};

use crate::fixture::{event, migration, number, open, outgoing, session};

/// Set for the process that is to be killed: the folder to write into.
const FOLDER: &str = "HULL_STORAGE_CRASH_FOLDER";
const SCHEMA: &str = "CREATE TABLE t (worker INTEGER, n INTEGER, PRIMARY KEY (worker, n))";
const WORKERS: i64 = 6;

/// The other process. Without the variable there is nothing to do: it is a test like the others.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let database = open(Path::new(&folder), |_| {});
    database.migrate(&[migration(1, SCHEMA)]).await.expect("migrate");
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let database = database.clone();
        workers.push(tokio::spawn(async move {
            for n in next_of(&database, worker).await.. {
                let name = format!("{worker}-{n}");
                let identity = EventIdentity::of(&event(&name));
                let unit = session(&database, Some(identity), Duration::from_mins(1));
                let row = vec![Value::Integer(worker), Value::Integer(n)];
                unit.execute("INSERT INTO t VALUES ($1, $2)".into(), row).await.expect("insert");
                unit.set(name.clone(), Vec::new()).await.expect("set");
                unit.publish(outgoing(&name)).await.expect("publish");
                assert_eq!(unit.finish_event().await, Ok(Finished::Committed));
                println!("done {worker} {n}");
            }
        }));
    }
    for worker in workers {
        worker.await.expect("a worker");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_kill_and_units_stay_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    for kill_after in [1, 40, 7, 90, 23] {
        let answered = run_and_kill(folder.path(), kill_after);
        let database = open(folder.path(), |_| {});
        database.check().await.expect("nothing is damaged");
        let reading = session(&database, None, Duration::from_mins(1));
        for (worker, n) in answered {
            let sql = format!("SELECT count(*) FROM t WHERE worker = {worker} AND n = {n}");
            assert_eq!(number(&reading, &sql).await, 1, "{worker} {n} was answered");
        }
        let rows = number(&reading, "SELECT count(*) FROM t").await;
        let statistics = database.statistics().await.expect("statistics");
        assert_eq!(statistics.outbox_rows, rows as u64, "an event for each row, none without");
        for worker in 0..WORKERS {
            let next = next_of(&database, worker).await;
            let gapless = number(&reading, &format!("SELECT count(*) FROM t WHERE worker = {worker}")).await;
            assert_eq!(gapless, next);
            let marked = async |n: i64| {
                let identity = EventIdentity::of(&event(&format!("{worker}-{n}")));
                database.ledger().state(&identity).await.expect("state").handled.is_some()
            };
            assert!(next == 0 || marked(next - 1).await, "a mark for each row");
            assert!(!marked(next).await, "and none without");
            assert_eq!(reading.exists(format!("{worker}-{next}")).await, Ok(false));
        }
        database.close().await;
    }
}

/// Run the other process until it has reported so many units, and kill it; what it reported.
fn run_and_kill(folder: &Path, reports: usize) -> Vec<(i64, i64)> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::the_process_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let parse = |line: String| {
        let (worker, n) = line.split_once("done ")?.1.split_once(' ')?;
        Some((worker.parse().ok()?, n.parse().ok()?))
    };
    let mut done: Vec<(i64, i64)> = Vec::new();
    for report in lines.map_while(Result::ok).filter_map(parse) {
        done.push(report);
        if done.len() == reports {
            // SIGKILL; what it still had reported is read to the end.
            child.kill().expect("kill");
        }
    }
    assert!(!child.wait().expect("its end").success());
    assert!(done.len() >= reports, "it ended by itself after {} reports", done.len());
    done
}

async fn next_of(database: &hull_storage::Database, worker: i64) -> i64 {
    let reading = session(database, None, Duration::from_mins(1));
    number(&reading, &format!("SELECT coalesce(max(n) + 1, 0) FROM t WHERE worker = {worker}")).await
}
