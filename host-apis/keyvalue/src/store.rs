//! `store`: buckets, and one key at a time.

use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::store::{Error, Host, HostBucket, KeyResponse};
use crate::{Bucket, KeyValueView, STORE, error};

impl Host for KeyValueView<'_> {
    async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, Error>> {
        Ok(match self.session() {
            Err(denied) => Err(denied),
            Ok(_) if identifier != STORE => Err(Error::NoSuchStore),
            Ok(_) => self.push(Bucket),
        })
    }
}

impl HostBucket for KeyValueView<'_> {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.get(key).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.set(key, value).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.delete(key).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.exists(key).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<KeyResponse, Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => {
                let page = session.list_keys(cursor).await.map_err(|failed| error(&failed));
                Ok(page.map(|page| KeyResponse { keys: page.keys, cursor: page.cursor }))
            }
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}
