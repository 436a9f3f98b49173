//! A server that takes every connection and never answers: the slow thing downstream.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;

/// The oldest connections beyond so many are closed.
const CONNECTIONS_MAX: usize = 1024;

/// Start it; it lives as long as this process.
pub(crate) fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen for what will not be answered")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let mut held = VecDeque::new();
        for stream in listener.incoming().flatten() {
            if held.len() == CONNECTIONS_MAX {
                held.pop_front();
            }
            held.push_back(stream);
        }
    });
    Ok(address)
}
