//! Why a component cannot be deployed. Every message says which component and what would mend it.

use std::path::PathBuf;

use hull_invocation::ComponentId;

/// Why compiling failed.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler refused the component.
    #[error("it does not compile: {0}")]
    Rejected(String),
    /// The compiler ran past its bound on time or memory.
    #[error("compiling it takes more than {0}; a component this expensive to compile is refused")]
    OutOfBounds(String),
    /// The worker process could not be run.
    #[error("the compile worker {program} failed to start: {source}")]
    Worker {
        /// What was to be run.
        program: PathBuf,
        /// Why it did not.
        source: std::io::Error,
    },
    /// The code cache could not be read or written.
    #[error("the code cache at {path}: {source}")]
    Cache {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Why a component cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The file is a core module.
    #[error(
        "{component}: this is a core WebAssembly module, not a component. Build it with \
         `cargo build --target wasm32-wasip2` or `cargo component build`, or wrap it with `wasm-tools component new`"
    )]
    CoreModule {
        /// Which component.
        component: ComponentId,
    },
    /// The file is not WebAssembly at all, or is damaged.
    #[error("{component}: not a WebAssembly component: {message}")]
    NotWasm {
        /// Which component.
        component: ComponentId,
        /// What the parser found.
        message: String,
    },
    /// The component wants something that the host does not have or that nothing grants.
    #[error("{component}: it imports `{import}`, which Hull does not provide. {hint}")]
    UnknownImport {
        /// Which component.
        component: ComponentId,
        /// The import.
        import: String,
        /// What would help.
        hint: String,
    },
    /// A trigger names the component, but it has no handler for it.
    #[error("{component}: {trigger} needs a component that exports {wanted}; this one exports {found}")]
    MissingExport {
        /// Which component.
        component: ComponentId,
        /// Which trigger.
        trigger: &'static str,
        /// Which interfaces would do.
        wanted: &'static str,
        /// What there is.
        found: String,
    },
    /// `reuse = "concurrent"` on a component that cannot be used so.
    #[error(
        "{component}: reuse = \"concurrent\" needs a component that exports wasi:http/handler@0.3; use \"serial\" or \
         \"never\" in [component.{}.tool.hull]", component.component()
    )]
    NotConcurrent {
        /// Which component.
        component: ComponentId,
    },
    /// Compiling failed.
    #[error("{component}: {source}")]
    Compile {
        /// Which component.
        component: ComponentId,
        /// Why.
        source: CompileError,
    },
    /// Types do not fit, or the pool cannot hold it.
    #[error("{component}: it cannot be linked: {message}")]
    Link {
        /// Which component.
        component: ComponentId,
        /// What wasmtime says.
        message: String,
    },
    /// Its bytes are not there any more.
    #[error("{component}: its bytes cannot be read: {source}; deploy it again")]
    Unreadable {
        /// Which component.
        component: ComponentId,
        /// Why not.
        source: std::io::Error,
    },
    /// There was no thread to prepare it on.
    #[error("{component}: it cannot be prepared: {source}; the host is short of threads or memory")]
    Unprepared {
        /// Which component.
        component: ComponentId,
        /// Why not.
        source: std::io::Error,
    },
    /// A limit asks for more than the engine can give.
    #[error("{component}: limits.memory is {asked} bytes, and an instance can have {most} at the most")]
    TooMuchMemory {
        /// Which component.
        component: ComponentId,
        /// What the manifest asks.
        asked: u64,
        /// What there is.
        most: u64,
    },
}
