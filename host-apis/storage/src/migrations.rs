//! Which migrations there are and which of them are to run: file names and comparisons, without a database.

use crate::error::StorageError;
use crate::sqlite::sha256_text;

/// How large one migration may be, in bytes.
pub const MIGRATION_BYTES_MAX: usize = 16 << 20;
/// How many migrations a component may have.
pub const MIGRATIONS_MAX: usize = 10_000;

/// One forward step of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// From 1, without gaps.
    pub number: u32,
    /// The rest of the file's name.
    pub name: String,
    /// Its statements.
    pub sql: String,
}

/// A migration that a database has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub number: u32,
    /// Its name then.
    pub name: String,
    /// The digest of its text then, in hexadecimal.
    pub sha256: String,
}

/// What a database may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `.sqlite.sql`
    Sqlite,
    /// `.postgres.sql`
    Postgres,
}

/// A migration's file, chosen for a dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationFile {
    /// The number in its name.
    pub number: u32,
    /// What comes after the number, without endings.
    pub name: String,
    /// The file's name.
    pub file: String,
}

/// Choose the files of a dialect among the names in a folder, in their order: `N_name.sql`, or `N_name.sqlite.sql` and
/// `N_name.postgres.sql`. Names that do not end in `.sql` are not looked at.
pub fn migration_files<'a>(
    names: impl IntoIterator<Item = &'a str>,
    dialect: Dialect,
) -> Result<Vec<MigrationFile>, StorageError> {
    let mut chosen = Vec::new();
    for file in names {
        let Some(stem) = file.strip_suffix(".sql") else { continue };
        let (stem, of) = match (stem.strip_suffix(".sqlite"), stem.strip_suffix(".postgres")) {
            (Some(stem), _) => (stem, Some(Dialect::Sqlite)),
            (_, Some(stem)) => (stem, Some(Dialect::Postgres)),
            _ => (stem, None),
        };
        let (number, name) = parse_stem(stem)
            .ok_or_else(|| invalid(format!("{file}: a migration is called N_name.sql, as in 1_create_orders.sql")))?;
        if of.is_none_or(|of| of == dialect) {
            chosen.push(MigrationFile { number, name: name.to_owned(), file: file.to_owned() });
        }
    }
    chosen.sort_by(|a, b| (a.number, &a.file).cmp(&(b.number, &b.file)));
    if let Some(pair) = chosen.windows(2).find(|pair| pair[0].number == pair[1].number) {
        return Err(invalid(format!("{} and {} have the same number", pair[0].file, pair[1].file)));
    }
    check_order(chosen.iter().map(|file| (file.number, file.file.as_str())))?;
    Ok(chosen)
}

/// Which of the wanted migrations are still to run on a database that has seen `applied`. A database that is ahead is
/// fine (a revision was rolled back); one that has seen something else is not.
pub(crate) fn to_run<'a>(wanted: &'a [Migration], applied: &[Applied]) -> Result<&'a [Migration], StorageError> {
    if wanted.len() > MIGRATIONS_MAX {
        return Err(invalid(format!("a component has {MIGRATIONS_MAX} migrations at most")));
    }
    check_order(wanted.iter().map(|migration| (migration.number, migration.name.as_str())))?;
    for (migration, seen) in wanted.iter().zip(applied) {
        let sha256 = sha256_text(&migration.sql);
        if seen.number != migration.number || seen.sha256 != sha256 {
            return Err(invalid(format!(
                "migration {}_{} has changed since it ran (as {}_{}, sha256 {:.12}, now {sha256:.12}): put its \
                 text back, and make the change a new migration with the next number",
                migration.number, migration.name, seen.number, seen.name, seen.sha256,
            )));
        }
    }
    Ok(wanted.get(applied.len()..).unwrap_or_default())
}

fn parse_stem(stem: &str) -> Option<(u32, &str)> {
    let (number, name) = stem.split_once('_')?;
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (valid && digits).then(|| number.parse().ok().map(|number| (number, name)))?
}

fn check_order<'a>(migrations: impl Iterator<Item = (u32, &'a str)>) -> Result<(), StorageError> {
    for (expected, (number, name)) in (1..).zip(migrations) {
        if number != expected {
            return Err(invalid(format!(
                "migrations are numbered from 1 without gaps: {name} has number {number} where {expected} is missing"
            )));
        }
    }
    Ok(())
}

fn invalid(message: String) -> StorageError {
    StorageError::Invalid(message)
}
