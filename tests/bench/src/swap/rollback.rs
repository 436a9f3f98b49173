//! How fast a rollback is: from the start of the command to the first answer of the revision before, and to the end of
//! the command, while requests come as before.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::daemon::{Daemon, Priority};
use super::phase::Stage;
use crate::clients::Pace;
use crate::response;
use crate::rounds::median;

const ROLLBACKS: u32 = 21;
const EVERY: Duration = Duration::from_millis(500);
/// How often an answer is asked for; the figure is right to within this and an answer's latency.
const ASK_EVERY: Duration = Duration::from_micros(500);
/// Of one that never comes to serve.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers with what its revision has in its environment.
const ASK: &str = r#"[{"do":"env","name":"BUILD"}]"#;
const ANSWER_BYTES_MAX: usize = 8 << 10;

/// The medians and the worst, of all rollbacks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rollback {
    pub(super) effective: Duration,
    pub(super) effective_most: Duration,
    pub(super) ended: Duration,
    /// Requests that failed meanwhile.
    pub(super) lost: u64,
}

/// When an answer of another revision came than the one before, and what it said.
type Changes = Mutex<Vec<(Instant, String)>>;

pub(super) fn measure(daemon: &Daemon, stage: &Stage<'_>, rate: f64) -> anyhow::Result<Rollback> {
    let (over, changes) = (AtomicBool::new(false), Changes::default());
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(daemon.process.address, &changes, &over));
        let load = scope.spawn(|| stage.plan(Pace::Open(rate), EVERY * ROLLBACKS).run(|_| Ok(())));
        let times =
            (0..ROLLBACKS as usize).map(|number| one(daemon, &changes, number)).collect::<anyhow::Result<Vec<_>>>();
        over.store(true, Ordering::Release);
        watching.join().map_err(|_| anyhow::anyhow!("whoever watches panicked"))??;
        let tally = load.join().map_err(|_| anyhow::anyhow!("whoever sends requests panicked"))??;
        let times = times?;
        let effective = || times.iter().map(|(effective, _)| *effective);
        Ok(Rollback {
            effective: median(effective()).context("no rollback")?,
            effective_most: effective().max().context("no rollback")?,
            ended: median(times.iter().map(|(_, ended)| *ended)).context("no rollback")?,
            lost: tally.errors(),
        })
    })
}

/// From the start of the command: until the other revision answers, and until the command ends.
fn one(daemon: &Daemon, changes: &Changes, number: usize) -> anyhow::Result<(Duration, Duration)> {
    let began = hull_clock::now();
    daemon.command(&["rollback"], Priority::Usual)?;
    let ended = hull_clock::now() - began;
    loop {
        let change = changes.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned();
        if let Some((at, _)) = change {
            std::thread::sleep((began + EVERY).saturating_duration_since(hull_clock::now()));
            let seen = changes.lock().unwrap_or_else(PoisonError::into_inner).split_off(number);
            ensure!(seen.len() == 1 && at >= began, "one rollback, and answers changed more than once: {seen:?}");
            changes.lock().unwrap_or_else(PoisonError::into_inner).extend(seen);
            return Ok((at - began, ended));
        }
        ensure!(hull_clock::now() < began + PATIENCE, "no other revision answers after a rollback");
        std::thread::sleep(ASK_EVERY);
    }
}

fn watch(address: SocketAddr, changes: &Changes, over: &AtomicBool) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).context("cannot connect")?;
    stream.set_nodelay(true)?;
    let mut last = ask(&mut stream)?;
    while !over.load(Ordering::Acquire) {
        let answer = ask(&mut stream)?;
        if answer != last {
            changes.lock().unwrap_or_else(PoisonError::into_inner).push((hull_clock::now(), answer.clone()));
            last = answer;
        }
        std::thread::sleep(ASK_EVERY);
    }
    Ok(())
}

/// What an answer says, in however many chunks it comes.
fn ask(stream: &mut TcpStream) -> anyhow::Result<String> {
    stream.write_all(&crate::connection::request("POST", "/probe/run", ASK))?;
    let body = String::from_utf8(whole(stream)?)?;
    let said = body.find('{').zip(body.rfind('}')).and_then(|(from, to)| body.get(from..=to));
    said.map(str::to_owned).with_context(|| format!("no JSON: {body}"))
}

/// A whole answer with 200; what it says after its head.
pub(super) fn whole(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default())?;
        ensure!(read > 0, "the host closed a connection");
        filled += read;
        let bytes = buffer.get(..filled).unwrap_or_default();
        let parsed = response::parse(bytes).map_err(|why| anyhow::anyhow!("malformed answer: {}", why.0))?;
        let Some(parsed) = parsed else { continue };
        ensure!(parsed.status == 200, "{}", String::from_utf8_lossy(bytes));
        let body = bytes.windows(4).position(|window| window == b"\r\n\r\n").context("no head")?;
        return Ok(bytes.get(body + 4..).unwrap_or_default().to_vec());
    }
}
