//! Clients that read so slowly that each answer takes seconds: one that a swap cuts off, or that loses a piece, shows.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

const STREAMS: usize = 4;
/// Of one answer: more than the sockets hold, so that its guest is at work until the end.
const BYTES: usize = 24 << 20;
const PIECE_BYTES: usize = 64 << 10;
/// After each piece.
const PAUSE: Duration = Duration::from_millis(10);
/// Who sends nothing for so long sends nothing any more.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const LINE_BYTES_MAX: u64 = 8 << 10;

/// What came of the answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Streamed {
    pub(super) whole: u64,
    pub(super) broken: u64,
    pub(super) first_failure: Option<String>,
}

/// Read one answer after the other, until it is over; the last ones are read to their end.
pub(super) fn run(address: SocketAddr, over: &AtomicBool) -> anyhow::Result<Streamed> {
    let reading = || {
        let mut streamed = Streamed::default();
        let mut connection = None;
        while !over.load(Ordering::Acquire) {
            match one(address, &mut connection, over) {
                Ok(()) => streamed.whole += 1,
                Err(error) => {
                    connection = None;
                    streamed.broken += 1;
                    streamed.first_failure.get_or_insert_with(|| format!("{error:#}"));
                    std::thread::sleep(PAUSE);
                }
            }
        }
        streamed
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..STREAMS).map(|_| scope.spawn(reading)).collect();
        let mut all = Streamed::default();
        for reader in readers {
            let one = reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))?;
            all.whole += one.whole;
            all.broken += one.broken;
            all.first_failure = all.first_failure.or(one.first_failure);
        }
        Ok(all)
    })
}

type Reader = BufReader<TcpStream>;

fn one(address: SocketAddr, connection: &mut Option<Reader>, over: &AtomicBool) -> anyhow::Result<()> {
    let reader = match connection {
        Some(open) => open,
        none => {
            let stream = TcpStream::connect(address).context("cannot connect")?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            none.insert(BufReader::with_capacity(PIECE_BYTES, stream))
        }
    };
    let asked = format!("GET /probe/download?bytes={BYTES} HTTP/1.1\r\nHost: bench\r\n\r\n");
    reader.get_mut().write_all(asked.as_bytes())?;
    let status = line(reader)?;
    ensure!(status.starts_with("HTTP/1.1 200 "), "{status}");
    while !line(reader)?.is_empty() {}
    let mut received = 0;
    loop {
        let size = line(reader)?;
        let size = usize::from_str_radix(&size, 16).with_context(|| format!("{size:?} is no size of a chunk"))?;
        let read = piece(reader, size, received, over)?;
        received += read;
        ensure!(line(reader)?.is_empty(), "a chunk does not end where it says");
        if size == 0 {
            break;
        }
    }
    ensure!(received == BYTES, "{received} bytes of {BYTES} came");
    Ok(())
}

/// A chunk, each of whose bytes is the low byte of its place in the body.
fn piece(reader: &mut Reader, size: usize, from: usize, over: &AtomicBool) -> anyhow::Result<usize> {
    let mut left = size;
    let mut buffer = vec![0; left.min(PIECE_BYTES)];
    while left > 0 {
        let length = left.min(PIECE_BYTES);
        let part = buffer.get_mut(..length).unwrap_or_default();
        reader.read_exact(part).context("an answer was cut off")?;
        let place = from + size - left;
        if part.iter().zip(place..).any(|(byte, place)| usize::from(*byte) != place % 256) {
            bail!("after {place} bytes another one came than was sent");
        }
        left -= length;
        if !over.load(Ordering::Acquire) {
            // At the same speed, however small the pieces are.
            std::thread::sleep(PAUSE.mul_f64(length as f64 / PIECE_BYTES as f64));
        }
    }
    Ok(size)
}

fn line(reader: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    reader.take(LINE_BYTES_MAX).read_line(&mut line).context("an answer was cut off")?;
    let line = line.strip_suffix("\r\n").context("an answer was cut off")?;
    Ok(line.to_owned())
}
