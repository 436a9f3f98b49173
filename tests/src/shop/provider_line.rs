//! The line between the shop and its payment provider, in the hands of a test: out of order, swallowing what the
//! provider answers, or open. Behind it is the provider that the shop comes with.

use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It ends before anything was asked.
    Out,
    /// The provider is asked, and its answer is lost.
    Mute,
    /// It is what it should be.
    Open,
}

/// How the line is, and where it leads.
type State = (Line, Option<SocketAddr>);

/// A line that is out until the test says otherwise.
#[derive(Debug)]
pub struct ProviderLine {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl ProviderLine {
    /// Accept connections, for as long as the test program runs.
    pub fn new() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new((Line::Out, None)));
        let seen = Arc::clone(&state);
        std::thread::spawn(move || {
            for asking in listener.incoming().flatten() {
                let (line, provider) = *seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let (Line::Mute | Line::Open, Some(provider)) = (line, provider) {
                    let seen = Arc::clone(&seen);
                    std::thread::spawn(move || carry(asking, provider, &seen));
                }
            }
        });
        Ok(Self { address, state })
    }

    /// What a manifest has to grant.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where payments find the provider.
    pub fn url(&self) -> String {
        format!("{}/psp", self.origin())
    }

    /// Whoever asks is connected with this gateway.
    pub fn leads_to(&self, provider: SocketAddr) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(provider);
    }

    /// From the next answer on, also on connections that are open.
    pub fn set(&self, line: Line) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = line;
    }
}

/// An error is the end of the connection, as it is for those who use it.
fn carry(mut asking: TcpStream, provider: SocketAddr, state: &Mutex<State>) -> std::io::Result<()> {
    let mut provider = TcpStream::connect(provider)?;
    let (mut questions, mut asked) = (asking.try_clone()?, provider.try_clone()?);
    std::thread::spawn(move || {
        let _ = copy(&mut questions, &mut asked);
        let _ = asked.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = provider.read(&mut buffer)?;
        // The first byte of an answer means that the provider has done what it was asked for.
        let line = state.lock().unwrap_or_else(PoisonError::into_inner).0;
        if length == 0 || line != Line::Open {
            return asking.shutdown(Shutdown::Both);
        }
        asking.write_all(buffer.get(..length).unwrap_or_default())?;
    }
}
