//! The network between a host and a server, in the hands of a test: as it should be, slow, silent, cut, or breaking in
//! the middle of what it carries. Both ends are on this machine, and what lies between them is here.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a connection without traffic looks how the network is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What a slow network carries at once, and how long it takes for it.
const SLOW_BYTES: usize = 1400;
const SLOW_TIME: Duration = Duration::from_millis(4);

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// As it should be.
    Fair,
    /// Everything arrives, late and in small pieces.
    Slow,
    /// Nothing arrives, and nobody is told; later all of it does.
    Silent,
    /// A part of what is sent arrives, then the connection ends; a new one ends the same way.
    Breaking,
    /// There are no connections.
    Cut,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Network {
    address: SocketAddr,
    weather: Arc<Mutex<Weather>>,
}

impl Network {
    /// One that leads to a server on this port, for as long as the test program runs.
    pub(crate) fn to(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let weather = Arc::new(Mutex::new(Weather::Fair));
        let seen = Arc::clone(&weather);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if now(&seen) != Weather::Cut {
                    let seen = Arc::clone(&seen);
                    // An error is the end of a connection, as it is for those who use it.
                    std::thread::spawn(move || connect(&near, port, &seen));
                }
            }
        });
        Ok(Self { address, weather })
    }

    /// Its near end.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, also for connections that are open.
    pub(crate) fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }
}

fn now(weather: &Mutex<Weather>) -> Weather {
    *weather.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(near: &TcpStream, port: u16, weather: &Arc<Mutex<Weather>>) -> io::Result<()> {
    let far = TcpStream::connect(("127.0.0.1", port))?;
    for end in [near, &far] {
        end.set_nodelay(true)?;
        end.set_read_timeout(Some(LOOK_EVERY))?;
    }
    let (back_from, back_to, seen) = (far.try_clone()?, near.try_clone()?, Arc::clone(weather));
    std::thread::spawn(move || carry(&back_from, &back_to, &seen));
    carry(near, &far, weather);
    Ok(())
}

/// Until one of the ends has ended; then both have.
fn carry(from: &TcpStream, to: &TcpStream, weather: &Mutex<Weather>) {
    // Whatever ended it, there is nobody to be told.
    let _ = carry_until_broken(from, to, weather);
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn carry_until_broken(mut from: &TcpStream, mut to: &TcpStream, weather: &Mutex<Weather>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => &[],
            Err(error) => return Err(error),
        };
        while now(weather) == Weather::Silent {
            std::thread::sleep(LOOK_EVERY);
        }
        match now(weather) {
            Weather::Cut => return Ok(()),
            Weather::Breaking if !read.is_empty() => {
                return to.write_all(read.get(..read.len() / 2).unwrap_or_default());
            }
            Weather::Slow => {
                for piece in read.chunks(SLOW_BYTES) {
                    std::thread::sleep(SLOW_TIME);
                    to.write_all(piece)?;
                }
            }
            Weather::Fair | Weather::Breaking | Weather::Silent => to.write_all(read)?,
        }
    }
}
