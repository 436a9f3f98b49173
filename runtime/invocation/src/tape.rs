//! What an invocation's calls returned, written down while it ran, so that another version can be answered the same in a
//! parallel run; and what that run did which cannot be compared.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Calls of one invocation that are written down.
const CALLS_MAX: usize = 32;
/// The body of a call's answer that is written down, in bytes.
pub const TAPED_BODY_BYTES_MAX: usize = 64 << 10;
/// Reasons of one run that are kept.
const REASONS_MAX: usize = 8;

/// A call, and what it returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapedCall {
    /// `GET`
    pub method: String,
    /// As the guest wrote it.
    pub url: String,
    /// Of the answer.
    pub status: u16,
    /// Of the answer.
    pub headers: Vec<(String, Bytes)>,
    /// All of the answer's body.
    pub body: Bytes,
}

/// What becomes of the calls of one invocation.
#[derive(Debug)]
pub enum Tape {
    /// They are made, and written down.
    Recording(Recorder),
    /// They are answered from what was written down, and nothing that the invocation does has an effect.
    Playing(Player),
}

impl Tape {
    /// The run that has no effect, if this is one.
    pub fn player(&self) -> Option<&Player> {
        match self {
            Self::Playing(player) => Some(player),
            Self::Recording(_) => None,
        }
    }
}

/// Writes calls down.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<TapedCall>>);

impl Recorder {
    /// A call has been answered, to the last byte.
    pub fn write(&self, call: TapedCall) {
        let mut calls = locked(&self.0);
        if calls.len() < CALLS_MAX {
            calls.push(call);
        }
    }

    /// What was written down so far.
    pub fn calls(&self) -> Vec<TapedCall> {
        locked(&self.0).clone()
    }
}

/// Answers calls from what was written down, each once.
#[derive(Debug)]
pub struct Player {
    calls: Mutex<Vec<TapedCall>>,
    reasons: Mutex<BTreeSet<String>>,
}

impl Player {
    /// With these calls to answer.
    pub fn new(calls: Vec<TapedCall>) -> Self {
        Self { calls: Mutex::new(calls), reasons: Mutex::default() }
    }

    /// What such a call returned; none if it was not made, or not so often. Then that is a reason.
    pub fn answer(&self, method: &str, url: &str) -> Option<TapedCall> {
        let mut calls = locked(&self.calls);
        let found = calls.iter().position(|call| call.method == method && call.url == url);
        let answer = found.map(|index| calls.remove(index));
        drop(calls);
        if answer.is_none() {
            self.note(format!("it called {method} {url}, which the old version did not"));
        }
        answer
    }

    /// It did something that has no effect in this run, and cannot be compared.
    pub fn note(&self, reason: String) {
        let mut reasons = locked(&self.reasons);
        if reasons.len() < REASONS_MAX {
            reasons.insert(reason);
        }
    }

    /// What cannot be compared of this run, and why.
    pub fn reasons(&self) -> Vec<String> {
        locked(&self.reasons).iter().cloned().collect()
    }
}

/// What is in them is whole whoever panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{CALLS_MAX, Player, Recorder, TapedCall};

    fn call(url: &str, body: &'static str) -> TapedCall {
        let (method, body) = ("GET".to_owned(), Bytes::from_static(body.as_bytes()));
        TapedCall { method, url: url.to_owned(), status: 200, headers: Vec::new(), body }
    }

    #[test]
    fn calls_are_answered_in_their_order_and_each_once() {
        let recorder = Recorder::default();
        for (url, body) in [("http://a/1", "first"), ("http://a/2", "other"), ("http://a/1", "second")] {
            recorder.write(call(url, body));
        }
        let player = Player::new(recorder.calls());
        let answered = |url: &str| player.answer("GET", url).map(|call| call.body);
        assert_eq!(answered("http://a/1").as_deref(), Some(&b"first"[..]));
        assert_eq!(answered("http://a/1").as_deref(), Some(&b"second"[..]));
        assert!(player.reasons().is_empty());
        assert_eq!(answered("http://a/1"), None);
        assert!(player.answer("POST", "http://a/2").is_none(), "another method is another call");
        assert_eq!(player.reasons().len(), 2);
    }

    #[test]
    fn what_is_written_down_is_bounded() {
        let recorder = Recorder::default();
        (0..CALLS_MAX * 2).for_each(|_| recorder.write(call("http://a", "")));
        assert_eq!(recorder.calls().len(), CALLS_MAX);
        let player = Player::new(Vec::new());
        (0..100).for_each(|number| player.note(number.to_string()));
        assert!(player.reasons().len() < 100);
    }
}
