//! A wire to a server that can be held: what a client sends waits in it, and the client sees a connection that is well.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a client sends to see whether the server is there, and what it wants to hear.
const PING: &[u8] = b"PING\r\n";
const PONG: &[u8] = b"PONG\r\n";

/// Carries connections; while it is held, nothing gets to the server, and pings are answered on the way.
pub(crate) struct Wire {
    port: u16,
    held: watch::Sender<bool>,
}

impl Wire {
    /// One to the server on this port.
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let (sender, held) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, server, held.clone()));
            }
        });
        Self { port, held: sender }
    }

    /// Its near end.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Keep what is sent from now on.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Bring what was kept, and go on as before.
    pub(crate) fn mend(&self) {
        self.held.send_replace(false);
    }
}

async fn carry(mut near: TcpStream, server: u16, mut held: watch::Receiver<bool>) -> std::io::Result<()> {
    let mut far = TcpStream::connect(("127.0.0.1", server)).await?;
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let (mut sent, mut told) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut waiting = Vec::new();
    loop {
        if !*held.borrow_and_update() && !waiting.is_empty() {
            far_out.write_all(&std::mem::take(&mut waiting)).await?;
        }
        tokio::select! {
            length = near_in.read(&mut sent) => {
                let bytes = &sent[..length?];
                if bytes.is_empty() {
                    return Ok(());
                }
                waiting.extend_from_slice(bytes);
                if *held.borrow() && bytes.ends_with(PING) {
                    near_out.write_all(PONG).await?;
                }
            }
            length = far_in.read(&mut told) => {
                let bytes = &told[..length?];
                if bytes.is_empty() {
                    return Ok(());
                }
                near_out.write_all(bytes).await?;
            }
            _ = held.changed() => {}
        }
    }
}
