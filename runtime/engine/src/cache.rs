//! Compiled code on disk, named by what it was compiled from and for. A file that does not match its checksum is
//! compiled again; one that does is mapped, not read.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hull_invocation::VersionId;

use crate::compile::{CompileBounds, compile};
use crate::config::Flavor;
use crate::error::CompileError;

/// The folder of compiled code. Two hosts may share it: files appear by renaming and are never changed.
#[derive(Debug, Clone)]
pub(crate) struct CodeCache {
    dir: PathBuf,
    program: PathBuf,
    bounds: CompileBounds,
}

/// Code that is ready to be mapped.
#[derive(Debug)]
pub(crate) struct CachedCode {
    pub(crate) path: PathBuf,
    /// The CPU time that compiling it took, if it had to be compiled just now.
    pub(crate) compiled: Option<Duration>,
}

impl CodeCache {
    pub(crate) fn new(dir: PathBuf, program: PathBuf, bounds: CompileBounds) -> Self {
        Self { dir, program, bounds }
    }

    /// The code of a component, compiled if the cache does not hold it intact.
    pub(crate) async fn code(
        &self,
        engine: &wasmtime::Engine,
        flavor: Flavor,
        version: VersionId,
        bytes: &[u8],
    ) -> Result<CachedCode, CompileError> {
        let path = self.dir.join(file_name(engine, flavor, version));
        match checksum_holds(&path) {
            Some(true) => return Ok(CachedCode { path, compiled: None }),
            Some(false) => {
                tracing::warn!(file = %path.display(), "a file of the code cache is damaged; compiling again");
            }
            None => {}
        }
        let cpu = self.compile_into(&path, flavor, bytes).await?;
        Ok(CachedCode { path, compiled: Some(cpu) })
    }

    /// Remove code that turned out to be unusable, so that the next attempt compiles it.
    pub(crate) fn discard(&self, path: &Path) {
        let _ = fs::remove_file(path);
        let _ = fs::remove_file(sum_path(path));
    }

    async fn compile_into(&self, path: &Path, flavor: Flavor, bytes: &[u8]) -> Result<Duration, CompileError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CompileError::Cache { path, source }
        };
        let unique = hull_clock::random_u64();
        let input = self.dir.join(format!("{unique:016x}.wasm"));
        let output = self.dir.join(format!("{unique:016x}.tmp"));
        let _cleanup = RemoveOnDrop([input.clone(), output.clone()]);
        fs::create_dir_all(&self.dir).map_err(failed(&self.dir))?;
        fs::write(&input, bytes).map_err(failed(&input))?;
        let cpu = compile(&self.program, flavor, &input, &output, self.bounds).await?;
        let code = fs::read(&output).map_err(failed(&output))?;
        let sum = format!("{:08x} {}\n", crc32c::crc32c(&code), code.len());
        let sum_tmp = output.with_extension("sum-tmp");
        fs::write(&sum_tmp, sum).map_err(failed(&sum_tmp))?;
        fs::rename(&output, path).map_err(failed(path))?;
        fs::rename(&sum_tmp, sum_path(path)).map_err(failed(path))?;
        Ok(cpu)
    }
}

struct RemoveOnDrop([PathBuf; 2]);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// The version, the engine, and a hash of everything in the engine that decides what code looks like.
fn file_name(engine: &wasmtime::Engine, flavor: Flavor, version: VersionId) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{version}-{}-{:016x}.cwasm", flavor.as_str(), hasher.finish())
}

fn sum_path(path: &Path) -> PathBuf {
    path.with_extension("sum")
}

/// `None` where there is no such file. Reads it here: what is prepared has a thread of its own.
fn checksum_holds(path: &Path) -> Option<bool> {
    let code = fs::read(path).ok()?;
    let sum = fs::read_to_string(sum_path(path)).unwrap_or_default();
    Some(sum == format!("{:08x} {}\n", crc32c::crc32c(&code), code.len()))
}
