//! The bytes between host and server: where they go, with or without TLS, and no message larger than the host wants to
//! hold in memory. What a guest asks for comes as one message a row, and a row may have a gigabyte.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

/// What can be read from and written to.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A socket to the server.
pub(super) struct Socket {
    bytes: Box<dyn Bytes>,
    /// What is read is looked at.
    messages: Option<Messages>,
    /// It counts as shut down when the other side has closed it as well.
    is_until_closed: bool,
}

impl Socket {
    fn new(bytes: impl Bytes + 'static) -> Self {
        Self { bytes: Box::new(bytes), messages: None, is_until_closed: false }
    }

    /// Its reader fails at a message that is too large, before it is read.
    fn bounded(self, message_bytes_max: usize) -> Self {
        let messages = Messages { message_bytes_max, rest: 0, header: [0; 5], header_length: 0 };
        Self { messages: Some(messages), ..self }
    }

    /// Shutting it down waits for the other side: a request to cancel is done then.
    pub(super) fn until_closed(self) -> Self {
        Self { is_until_closed: true, ..self }
    }
}

/// The server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Address {
    pub(super) async fn connect(&self) -> io::Result<Socket> {
        match &self.host {
            Host::Tcp(host) => {
                let stream = TcpStream::connect((host.as_str(), self.port)).await?;
                stream.set_nodelay(true)?;
                Ok(Socket::new(stream))
            }
            Host::Unix(folder) => {
                let path = folder.join(format!(".s.PGSQL.{}", self.port));
                Ok(Socket::new(UnixStream::connect(path).await?))
            }
        }
    }

    fn name(&self) -> &str {
        match &self.host {
            Host::Tcp(host) => host,
            Host::Unix(_) => "localhost",
        }
    }
}

/// How messages are wrapped: TLS where `sslmode=require` asks for it, and bounded always.
#[derive(Clone)]
pub(super) struct Wrap {
    message_bytes_max: usize,
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
}

impl Wrap {
    /// Where the mode is `prefer`, which is what a URL says that says nothing, there is none: whoever stands in between
    /// would answer that there is none anyway.
    pub(super) fn new(mode: SslMode, address: &Address, message_bytes_max: usize) -> Result<Self, String> {
        if mode != SslMode::Require {
            return Ok(Self { message_bytes_max, tls: None });
        }
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(address.name().to_owned()).map_err(|error| error.to_string())?;
        Ok(Self { message_bytes_max, tls: Some((Arc::new(config), name)) })
    }

    /// The mode in which the library is to connect: it knows plain and TLS, and nothing that depends.
    pub(super) fn mode(&self) -> SslMode {
        if self.tls.is_some() { SslMode::Require } else { SslMode::Disable }
    }

    /// What goes below the library: with TLS the messages can be seen only above.
    pub(super) fn below(&self, socket: Socket) -> Socket {
        if self.tls.is_some() { socket } else { socket.bounded(self.message_bytes_max) }
    }
}

impl TlsConnect<Socket> for Wrap {
    type Stream = Socket;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Socket>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move {
            let Some((config, name)) = self.tls else {
                return Err(io::Error::other("the connection was to be without TLS"));
            };
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            Ok(Socket::new(stream).bounded(self.message_bytes_max))
        })
    }
}

/// Where one message of the server ends and the next one begins, and how large that is.
struct Messages {
    message_bytes_max: usize,
    /// Of the present message: how much of it is still to come.
    rest: usize,
    /// The first bytes of the next message: its kind and its length.
    header: [u8; 5],
    header_length: usize,
}

impl Messages {
    fn look_at(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let passed = self.rest.min(bytes.len());
                self.rest -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            let (Some(first), Some(slot)) = (bytes.first(), self.header.get_mut(self.header_length)) else { break };
            *slot = *first;
            self.header_length += 1;
            bytes = bytes.get(1..).unwrap_or_default();
            if self.header_length == self.header.len() {
                self.header_length = 0;
                let [_, length @ ..] = self.header;
                let length = u32::from_be_bytes(length) as usize;
                if length > self.message_bytes_max {
                    let text = format!("a row of {length} bytes is larger than the host reads; select less of it");
                    return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
                }
                self.rest = length.saturating_sub(4);
            }
        }
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.bytes).poll_read(cx, buf);
        if let (Poll::Ready(Ok(())), Some(messages)) = (&read, &mut self.messages) {
            messages.look_at(buf.filled().get(before..).unwrap_or_default())?;
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_until_closed {
            return Pin::new(&mut self.bytes).poll_shutdown(cx);
        }
        let mut bytes = [0; 64];
        loop {
            let mut buf = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.bytes).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl TlsStream for Socket {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
