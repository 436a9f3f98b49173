//! The line between the shop and its payment provider, in the hands of a test: out of order, swallowing or
//! holding back what the provider answers, or open. Behind it is the provider that the shop comes with.

use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::app::App;
use crate::host::Host;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It ends before anything was asked.
    Out,
    /// The provider is asked, and its answer is lost.
    Mute,
    /// The provider is asked, and its answer waits until the line is something else.
    Held,
    /// It is what it should be.
    Open,
}

/// How the line is, and where it leads; told when it changes.
#[derive(Debug)]
struct State {
    now: Mutex<(Line, Option<SocketAddr>)>,
    changed: Condvar,
}

impl State {
    fn now(&self) -> (Line, Option<SocketAddr>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut (Line, Option<SocketAddr>))) {
        how(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// What the line is once it does not hold anything back.
    fn let_go(&self) -> Line {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.changed.wait_while(now, |(line, _)| *line == Line::Held);
        now.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A line that is out until the test says otherwise.
#[derive(Debug)]
pub struct ProviderLine {
    address: SocketAddr,
    state: Arc<State>,
}

impl ProviderLine {
    /// Accept connections, for as long as the test program runs.
    pub fn new() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { now: Mutex::new((Line::Out, None)), changed: Condvar::new() });
        let seen = Arc::clone(&state);
        std::thread::spawn(move || {
            for asking in listener.incoming().flatten() {
                if let (Line::Mute | Line::Held | Line::Open, Some(provider)) = seen.now() {
                    let seen = Arc::clone(&seen);
                    std::thread::spawn(move || carry(asking, provider, &seen));
                }
            }
        });
        Ok(Self { address, state })
    }

    /// What has to be replaced in the shop's manifest, so that payments find the provider behind this line and may ask it.
    pub fn changes(&self) -> [(&'static str, String); 2] {
        let origin = format!("http://{}", self.address);
        [
            ("psp_url = \"http://psp.internal\"", format!("psp_url = \"{origin}/psp\"")),
            ("[\"http://psp.internal\"", format!("[\"{origin}\", \"http://psp.internal\"")),
        ]
    }

    /// The shop whose payments ask over this line, with more of its manifest replaced.
    pub fn shop(
        &self,
        changes: &[(&str, &str)],
        altered: impl FnOnce(&[(&str, &str)]) -> anyhow::Result<App>,
    ) -> anyhow::Result<(App, Host)> {
        let line = self.changes();
        let changes: Vec<_> = line.iter().map(|(from, to)| (*from, &**to)).chain(changes.iter().copied()).collect();
        let app = altered(&changes)?;
        let host = app.up()?;
        self.leads_to(host.client().address());
        Ok((app, host))
    }

    /// Whoever asks is connected with this gateway.
    pub fn leads_to(&self, provider: SocketAddr) {
        self.state.change(|now| now.1 = Some(provider));
    }

    /// From the next answer on, also on connections that are open.
    pub fn set(&self, line: Line) {
        self.state.change(|now| now.0 = line);
    }
}

/// An error is the end of the connection, as it is for those who use it.
fn carry(mut asking: TcpStream, provider: SocketAddr, state: &State) -> std::io::Result<()> {
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
        if length == 0 || state.let_go() != Line::Open {
            return asking.shutdown(Shutdown::Both);
        }
        asking.write_all(buffer.get(..length).unwrap_or_default())?;
    }
}
