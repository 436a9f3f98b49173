//! `wasi:config/store`: the component's variables, as `[component.NAME.variables]` of spin.toml gives them. What is
//! not written there cannot be read. Variables of the app that they are made of may have other values for some of those
//! who ask: that is what flags say, and it stays the same for everything that is done for one request or event.

mod settings;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use hull_rollout::{Asks, Decided, Flags};
use wasmtime::component::{HasData, Linker};

pub use settings::Settings;

#[allow(missing_docs, unreachable_pub, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "hull:host/config",
        imports: { default: trappable },
    });
}

use bindings::wasi::config::store::{self, Error};

/// The flags of an app as they are now. Nothing while there are none, which costs next to nothing to see.
pub type LiveFlags = ArcSwapOption<Flags>;

/// The variables one instance may read. Shared by all instances of a version.
#[derive(Clone)]
pub struct ConfigCtx {
    settings: Arc<Settings>,
    flags: Seen,
}

/// Which values of flags an instance sees.
#[derive(Clone)]
enum Seen {
    /// Those of whoever it serves.
    Decided(Option<Arc<Decided>>),
    /// It serves many at once, and nobody knows for whom it asks: those that everybody sees.
    Everybodys(Arc<LiveFlags>),
}

impl ConfigCtx {
    /// For one invocation, with what was decided for it.
    pub fn new(settings: Arc<Settings>, decided: Option<Arc<Decided>>) -> Self {
        Self { settings, flags: Seen::Decided(decided) }
    }

    /// For an instance that serves many at once.
    pub fn of_many(settings: Arc<Settings>, flags: Arc<LiveFlags>) -> Self {
        Self { settings, flags: Seen::Everybodys(flags) }
    }

    fn decided(&self) -> Option<Arc<Decided>> {
        match &self.flags {
            Seen::Decided(decided) => decided.clone(),
            Seen::Everybodys(flags) => flags.load().as_ref().map(|flags| Arc::new(flags.decide(&Nobody))),
        }
    }
}

/// Nobody in particular.
pub struct Nobody;

impl Asks for Nobody {
    fn header(&self, _: &str) -> Option<&str> {
        None
    }

    fn cookie(&self, _: &str) -> Option<&str> {
        None
    }

    fn origin(&self) -> Option<&str> {
        None
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
        Ok(Ok(self.settings.get(&key, self.decided().as_deref())))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        Ok(Ok(self.settings.all(self.decided().as_deref())))
    }
}
