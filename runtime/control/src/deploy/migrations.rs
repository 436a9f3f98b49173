//! Reading a component's migrations from the folder that the manifest names.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hull_manifest::Component;
use hull_storage::{Dialect, MIGRATION_BYTES_MAX, Migration, migration_files};

use crate::error::ComponentProblem;

/// The migrations of a component, in their order; none where the manifest names no folder. Reads files: not for the
/// serving threads.
pub fn read_migrations(
    component: &Component,
    base: &Path,
    dialect: Dialect,
) -> Result<Vec<Migration>, ComponentProblem> {
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
    let files =
        migration_files(names.iter().map(String::as_str), dialect).map_err(|error| problem(error.to_string()))?;
    let mut migrations = Vec::with_capacity(files.len());
    for file in files {
        let metadata = dir.metadata(&file.file).map_err(|error| problem(format!("{}: {error}", file.file)))?;
        if !metadata.is_file() {
            return Err(problem(format!("{} is not a regular file", file.file)));
        }
        let bytes = metadata.len();
        if bytes > MIGRATION_BYTES_MAX as u64 {
            return Err(problem(format!("{} has {bytes} bytes; {MIGRATION_BYTES_MAX} is the most", file.file)));
        }
        let sql = dir.read_to_string(&file.file).map_err(|error| problem(format!("{}: {error}", file.file)))?;
        migrations.push(Migration { number: file.number, name: file.name, sql });
    }
    Ok(migrations)
}

#[cfg(test)]
mod tests {
    use hull_manifest::{App, Reading};

    use super::{Dialect, read_migrations};

    fn read(prepare: impl FnOnce(&std::path::Path)) -> Result<usize, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("m")).expect("made");
        prepare(&folder.path().join("m"));
        let text = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/\"\n\
                    component = \"web\"\n[component.web]\nsource = \"web.wasm\"\nsqlite_databases = [\"default\"]\n\
                    [component.web.tool.hull]\nmigrations = \"m\"\n";
        let app = App::parse(text, &Reading::alone("spin.toml")).expect("a manifest");
        let component = app.component("web").expect("the component");
        read_migrations(component, folder.path(), Dialect::Sqlite)
            .map(|all| all.len())
            .map_err(|problem| problem.message)
    }

    #[test]
    fn what_is_not_a_regular_file_is_refused() {
        let file = |folder: &std::path::Path| std::fs::write(folder.join("1_a.sql"), "SELECT 1").expect("written");
        assert_eq!(read(file), Ok(1));
        let refused = read(|folder| std::fs::create_dir(folder.join("1_a.sql")).expect("made"));
        assert!(
            refused.expect_err("a folder").contains("`migrations` of [component.web.tool.hull]: m: 1_a.sql is not")
        );
        let refused = read(|folder| {
            // Opening it would wait for somebody who writes to it.
            let made = std::process::Command::new("mkfifo").arg(folder.join("1_a.sql")).status();
            assert!(made.expect("mkfifo runs").success());
        });
        assert!(refused.expect_err("a pipe").contains("1_a.sql is not a regular file"));
    }
}
