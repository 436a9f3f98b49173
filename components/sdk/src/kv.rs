//! Key-value: JSON under keys, and changes that lose no concurrent change.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::wasi::keyvalue::{atomics, store};
use crate::error::{Error, Result};

/// How often a change is tried before its caller hears of the conflict.
const CHANGE_ATTEMPTS_MAX: u32 = 8;

/// A store that is private to this component.
pub struct Bucket {
    inner: store::Bucket,
}

impl Bucket {
    /// Open a store that `key_value_stores` grants.
    pub fn open(name: &str) -> Result<Self> {
        Ok(Self { inner: store::open(name)? })
    }

    /// The value under a key.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        parsed(key, self.inner.get(key)?)
    }

    /// Put a value under a key, whatever was there.
    pub fn set<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        Ok(self.inner.set(key, &bytes(key, value)?)?)
    }

    /// Remove a key, if it is there.
    pub fn delete(&self, key: &str) -> Result<()> {
        Ok(self.inner.delete(key)?)
    }

    /// Whether a key is there.
    pub fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.inner.exists(key)?)
    }

    /// Read, change, write back, by compare and swap: `change` runs again on what another one has written between.
    pub fn change<T, F>(&self, key: &str, mut change: F) -> Result<T>
    where
        T: DeserializeOwned + Serialize + Default,
        F: FnMut(T) -> Result<T>,
    {
        let mut cas = atomics::Cas::new(&self.inner, key)?;
        for _ in 0..CHANGE_ATTEMPTS_MAX {
            let current = parsed(key, cas.current()?)?.unwrap_or_default();
            let next = change(current)?;
            match atomics::swap(cas, &bytes(key, &next)?) {
                Ok(()) => return Ok(next),
                Err(atomics::CasError::CasFailed(fresh)) => cas = fresh,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}

fn parsed<T: DeserializeOwned>(key: &str, bytes: Option<Vec<u8>>) -> Result<Option<T>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let wrong = |e| Error::Fault(format!("key {key} holds something else: {e}"));
    serde_json::from_slice(&bytes).map(Some).map_err(wrong)
}

fn bytes<T: Serialize>(key: &str, value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Fault(format!("key {key} cannot be written: {e}")))
}
