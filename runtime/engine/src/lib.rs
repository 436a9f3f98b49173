//! The engine: compiles, caches, instantiates, limits, and drives guests. The only crate that does.

mod cache;
mod compile;
mod concurrent;
mod config;
mod deploy;
mod drive;
mod epoch;
mod error;
mod event;
mod flags;
mod http;
mod inspect;
mod instance;
mod limits;
mod memory;
mod pool;
mod registry;
mod replaced;
mod response;
mod services;
mod spec;
mod state;
mod unload;
mod warm;

pub use compile::{CompileBounds, CompileJob, compile_worker};
pub use config::{EngineConfig, Flavor};
pub use deploy::Version;
pub use error::{CompileError, DeployError};
pub use inspect::{Exports, inspect, validate};
pub use limits::InstanceLimits;
pub use registry::Engine;
pub use spec::{ComponentBytes, ComponentSpec, Grants, Mount, Reuse};
