//! The line between the shop and its payment provider, in the hands of a test: out of order, swallowing what the
//! provider answers, or open. Behind it is the provider that the shop comes with.

use std::io::{Read as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It ends before anything was asked.
    Out,
    /// The provider is asked, and its answer is lost.
    Mute,
    /// It is what it should be.
    Open,
}

/// A line that is out until the test says otherwise.
#[derive(Debug)]
pub(crate) struct ProviderLine {
    address: SocketAddr,
    state: Arc<Mutex<(Line, Option<SocketAddr>)>>,
}

impl ProviderLine {
    /// Accept connections, for as long as the test program runs.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new((Line::Out, None)));
        let seen = Arc::clone(&state);
        std::thread::spawn(move || {
            for asking in listener.incoming().flatten() {
                let (line, provider) = *seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let (Line::Mute | Line::Open, Some(provider)) = (line, provider) {
                    std::thread::spawn(move || carry(asking, provider, line));
                }
            }
        });
        Ok(Self { address, state })
    }

    /// What a manifest has to grant.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where payments find the provider.
    pub(crate) fn url(&self) -> String {
        format!("{}/psp", self.origin())
    }

    /// Whoever asks is connected with this gateway.
    pub(crate) fn leads_to(&self, provider: SocketAddr) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(provider);
    }

    /// From the next connection on.
    pub(crate) fn set(&self, line: Line) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = line;
    }
}

/// An error is the end of the connection, as it is for those who use it.
fn carry(mut asking: TcpStream, provider: SocketAddr, line: Line) -> std::io::Result<()> {
    let mut provider = TcpStream::connect(provider)?;
    let (mut questions, mut asked) = (asking.try_clone()?, provider.try_clone()?);
    std::thread::spawn(move || {
        let _ = copy(&mut questions, &mut asked);
        let _ = asked.shutdown(Shutdown::Write);
    });
    match line {
        Line::Open => drop(copy(&mut provider, &mut asking)?),
        // The first byte of an answer means that the provider has done what it was asked for.
        Line::Out | Line::Mute => drop(provider.read(&mut [0])?),
    }
    asking.shutdown(Shutdown::Both)
}
