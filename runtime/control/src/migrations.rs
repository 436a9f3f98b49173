//! Reading a component's migrations from the folder that the manifest names.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hull_manifest::Component;
use hull_storage::{Dialect, MIGRATION_BYTES_MAX, Migration, migration_files};

use crate::error::ComponentProblem;

/// The migrations of a component, in their order; none where the manifest names no folder. Reads files: not for the
/// serving threads.
pub(crate) fn read_migrations(component: &Component, base: &Path) -> Result<Vec<Migration>, ComponentProblem> {
    let Some(folder) = &component.hull.migrations else { return Ok(Vec::new()) };
    let problem = |what: String| {
        let key = format!("`migrations` of [component.{}.tool.hull]", component.name);
        ComponentProblem::new(&component.name, format!("{key}: {folder}: {what}"))
    };
    let failed = |error: std::io::Error| problem(error.to_string());
    let dir = Dir::open_ambient_dir(base.join(folder), ambient_authority()).map_err(failed)?;
    let mut names = Vec::new();
    for entry in dir.entries().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.into_string().map_err(|name| problem(format!("{} is not UTF-8", name.display())))?);
    }
    let files = migration_files(names.iter().map(String::as_str), Dialect::Sqlite)
        .map_err(|error| problem(error.to_string()))?;
    let mut migrations = Vec::with_capacity(files.len());
    for file in files {
        let bytes = dir.metadata(&file.file).map_err(failed)?.len();
        if bytes > MIGRATION_BYTES_MAX as u64 {
            return Err(problem(format!("{} has {bytes} bytes; {MIGRATION_BYTES_MAX} is the most", file.file)));
        }
        let sql = dir.read_to_string(&file.file).map_err(|error| problem(format!("{}: {error}", file.file)))?;
        migrations.push(Migration { number: file.number, name: file.name, sql });
    }
    Ok(migrations)
}
