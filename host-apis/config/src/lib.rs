//! `wasi:config/store`: the component's variables, as `[component.NAME.variables]` of spin.toml gives them. What is
//! not written there cannot be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::{HasData, Linker};

#[allow(missing_docs, unreachable_pub, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/config",
        imports: { default: trappable },
    });
}

use bindings::wasi::config::store::{self, Error};

/// The variables one instance may read. Shared by all instances of a version.
#[derive(Clone, Debug, Default)]
pub struct ConfigCtx {
    values: Arc<BTreeMap<String, String>>,
}

impl ConfigCtx {
    /// The values with their templates resolved.
    pub fn new(values: Arc<BTreeMap<String, String>>) -> Self {
        Self { values }
    }
}

struct HasConfig;

impl HasData for HasConfig {
    type Data<'a> = &'a mut ConfigCtx;
}

/// Add the interface to a linker. `get` finds an instance's variables in its state.
pub fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: fn(&mut T) -> &mut ConfigCtx) -> wasmtime::Result<()> {
    store::add_to_linker::<T, HasConfig>(linker, get)
}

impl store::Host for ConfigCtx {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        Ok(Ok(self.values.get(&key).cloned()))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        Ok(Ok(self.values.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
    }
}
