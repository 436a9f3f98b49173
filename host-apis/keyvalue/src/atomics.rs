//! `atomics`: counters, and compare-and-swap on the value that was seen.

use hull_storage::Swapped;
use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::atomics::{CasError, Host, HostCas};
use crate::bindings::wasi::keyvalue::store::Error;
use crate::{Bucket, Cas, KeyValueView, error};

impl Host for KeyValueView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.increment(key, delta).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }

    /// Takes the handle; when the value had changed, the guest gets a new one that has seen the present value.
    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let Cas { key, seen } = self.table.delete(cas)?;
        let session = match self.session() {
            Ok(session) => session,
            Err(denied) => return Ok(Err(CasError::StoreError(denied))),
        };
        match session.swap(key.clone(), seen, value).await {
            Ok(Swapped::Done) => Ok(Ok(())),
            Ok(Swapped::Changed(present)) => Ok(Err(match self.push(Cas { key, seen: present }) {
                Ok(again) => CasError::CasFailed(again),
                Err(full) => CasError::StoreError(full),
            })),
            Err(failed) => Ok(Err(CasError::StoreError(error(&failed)))),
        }
    }
}

impl HostCas for KeyValueView<'_> {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<Resource<Cas>, Error>> {
        let seen = match self.of_bucket(&bucket)? {
            Ok(session) => session.get(key.clone()).await.map_err(|failed| error(&failed)),
            Err(denied) => Err(denied),
        };
        Ok(seen.and_then(|seen| self.push(Cas { key, seen })))
    }

    /// The value that was seen when the handle was made: the one that a swap will replace, or refuse to.
    async fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(Ok(self.table.get(&cas)?.seen.clone()))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
