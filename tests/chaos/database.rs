//! A component's database once its hosts have stopped, read past them: a copy of its file, so that looking changes
//! nothing, or its schema on the server.

use std::path::Path;

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::postgres::PostgresServer;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;
use tempfile::TempDir;

use crate::backends::DATABASE;

/// See the module.
pub(crate) enum Database<'a> {
    File(Copied),
    Schema {
        server: &'a PostgresServer,
        /// As it is named in `app/component`.
        name: String,
    },
}

/// A copy of a database's file, open.
pub(crate) struct Copied {
    connection: Connection,
    _folder: TempDir,
}

impl<'a> Database<'a> {
    /// A component's: on the server if there is one.
    pub(crate) fn of(of: &App, server: Option<&'a PostgresServer>, app: &str, component: &str) -> anyhow::Result<Self> {
        match server {
            Some(server) => Ok(Self::Schema { server, name: format!("{app}/{component}") }),
            None => Ok(Self::File(Copied::of(of, app, component)?)),
        }
    }

    /// The components of an app that have one.
    pub(crate) fn components(of: &App, server: Option<&'a PostgresServer>, app: &str) -> anyhow::Result<Vec<String>> {
        let Some(server) = server else {
            let entries = std::fs::read_dir(of.state_dir().join("apps").join(app))?;
            let names: std::io::Result<Vec<String>> =
                entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
            return Ok(names?.into_iter().filter(|name| of.database(app, name).exists()).collect());
        };
        let told = server.sql(DATABASE, "SELECT component FROM hull.components ORDER BY component");
        Ok(told.lines().filter_map(|name| Some(name.strip_prefix(app)?.strip_prefix('/')?.to_owned())).collect())
    }

    /// These columns of what follows.
    pub(crate) fn rows(&self, columns: &[&str], rest: &str) -> anyhow::Result<Vec<Vec<Value>>> {
        match self {
            Self::File(copied) => copied.rows(&format!("SELECT {} {rest}", columns.join(", "))),
            Self::Schema { server, name } => {
                let selected: Vec<String> =
                    columns.iter().zip(0..).map(|(column, n)| format!("{column} AS c{n}")).collect();
                let names: Vec<String> = (0..columns.len()).map(|n| format!("c{n}")).collect();
                let sql = format!(
                    "SET search_path TO \"{name}\", \"hull/{name}\"; \
                     SELECT coalesce(json_agg(json_build_array({})), '[]') FROM (SELECT {} {rest}) AS told",
                    names.join(", "),
                    selected.join(", ")
                );
                let told = server.sql(DATABASE, &sql);
                serde_json::from_str(&told).with_context(|| format!("{sql}: {told}"))
            }
        }
    }

    /// Two columns of text.
    pub(crate) fn pairs(&self, columns: [&str; 2], rest: &str) -> anyhow::Result<Vec<(String, String)>> {
        Ok(self.rows(&columns, rest)?.iter().map(|row| (text(row, 0), text(row, 1))).collect())
    }

    /// What is wrong with the file itself; of a server's the server takes care.
    pub(crate) fn damage(&self) -> anyhow::Result<Option<String>> {
        let Self::File(copied) = self else { return Ok(None) };
        let told: Vec<String> = copied.rows("PRAGMA integrity_check")?.iter().map(|row| text(row, 0)).collect();
        Ok((told != ["ok"]).then(|| told.join("; ")))
    }
}

/// A text in a row.
pub(crate) fn text(row: &[Value], column: usize) -> String {
    row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A number in a row.
pub(crate) fn number(row: &[Value], column: usize) -> i64 {
    row.get(column).and_then(Value::as_i64).unwrap_or_default()
}

impl Copied {
    fn of(of: &App, app: &str, component: &str) -> anyhow::Result<Self> {
        let (folder, file) = (TempDir::with_prefix("hull-chaos-")?, of.database(app, component));
        for ending in ["", "-wal"] {
            let from = file.with_file_name(format!("data.db{ending}"));
            if from.exists() {
                std::fs::copy(&from, folder.path().join(format!("data.db{ending}")))
                    .with_context(|| from.display().to_string())?;
            }
        }
        let connection = open(&folder.path().join("data.db")).with_context(|| file.display().to_string())?;
        Ok(Self { connection, _folder: folder })
    }

    fn rows(&self, sql: &str) -> anyhow::Result<Vec<Vec<Value>>> {
        let mut statement = self.connection.prepare(sql).with_context(|| sql.to_owned())?;
        let columns = statement.column_count();
        let read = |row: &Row<'_>| (0..columns).map(|column| Ok(value(row.get_ref(column)?))).collect();
        let rows: rusqlite::Result<Vec<Vec<Value>>> = statement.query_map([], read)?.collect();
        rows.with_context(|| sql.to_owned())
    }
}

fn value(found: ValueRef<'_>) -> Value {
    match found {
        ValueRef::Integer(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Value::Null,
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    // The copy's log has to be read in, which writes; the original is not touched.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}
