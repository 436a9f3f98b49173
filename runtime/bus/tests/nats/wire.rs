//! A wire to a server that can be cut: the server goes on, and others reach it.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Carries connections until it is cut, and again when it is mended.
pub(crate) struct Wire {
    port: u16,
    whole: watch::Sender<bool>,
}

impl Wire {
    /// One to the server on this port.
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let (sender, whole) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // What is dropped at once looks like a server that is not there.
                if *whole.borrow() {
                    tokio::spawn(carry(near, server, whole.clone()));
                }
            }
        });
        Self { port, whole: sender }
    }

    /// Its near end.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Nothing goes through, and what was open is closed.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// As before.
    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(mut near: TcpStream, server: u16, mut whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = whole.wait_for(|whole| !*whole) => {}
    }
}
