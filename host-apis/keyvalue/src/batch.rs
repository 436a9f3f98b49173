//! `batch`: several keys in one call, each call whole or not at all.

use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::batch::Host;
use crate::bindings::wasi::keyvalue::store::Error;
use crate::{Bucket, KeyValueView, error};

/// Keys and their values, none where a key has none.
type Found = Vec<Option<(String, Vec<u8>)>>;

impl Host for KeyValueView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Found, Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.get_many(keys).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.set_many(key_values).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), Error>> {
        match self.of_bucket(&bucket)? {
            Ok(session) => Ok(session.delete_many(keys).await.map_err(|failed| error(&failed))),
            Err(denied) => Ok(Err(denied)),
        }
    }
}
