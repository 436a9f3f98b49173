//! What guest SQL may do. SQLite asks for every table, column, function and action while it compiles a statement;
//! the answers here keep a guest inside its own tables, whatever the text of the statement looks like.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use parking_lot::Mutex;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Whose statement is being compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Author {
    /// The host: everything is allowed.
    Host = 0,
    /// A guest while it serves an invocation.
    Guest = 1,
    /// A migration: the same, many statements at once.
    Migration = 2,
}

/// Functions that reach outside the database.
const FUNCTIONS_DENIED: [&str; 3] = ["load_extension", "fts3_tokenizer", "fts5_source_id"];
/// Tables that SQLite provides itself and that show the whole file or the connection.
const TABLES_DENIED: [&str; 5] = ["dbstat", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used"];
/// Shared by a connection and its authorizer.
pub(super) struct Guard {
    author: AtomicU8,
    denied: Mutex<Option<String>>,
    /// The statement changes the schema.
    changes_schema: AtomicBool,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            author: AtomicU8::new(Author::Host as u8),
            denied: Mutex::new(None),
            changes_schema: AtomicBool::new(false),
        }
    }

    /// Compile the following statements as this author's.
    pub(super) fn set_author(&self, author: Author) {
        self.author.store(author as u8, Ordering::Relaxed);
        if author != Author::Host {
            *self.denied.lock() = None;
            self.begin_statement();
        }
    }

    /// What follows is another statement of the same author.
    pub(super) fn begin_statement(&self) {
        self.changes_schema.store(false, Ordering::Relaxed);
    }

    /// Whether the last guest's statement changes the schema.
    pub(super) fn saw_schema_change(&self) -> bool {
        self.changes_schema.load(Ordering::Relaxed)
    }

    /// Why the last statement was denied, once.
    pub(super) fn take_denial(&self) -> Option<String> {
        self.denied.lock().take()
    }

    /// The authorizer.
    pub(super) fn authorize(&self, context: AuthContext<'_>) -> Authorization {
        let author = self.author.load(Ordering::Relaxed);
        if author == Author::Host as u8 {
            return Authorization::Allow;
        }
        if let AuthAction::Analyze { table_name } = context.action
            && is_host_name(table_name)
        {
            return Authorization::Ignore;
        }
        if changes_schema(context.action) {
            self.changes_schema.store(true, Ordering::Relaxed);
        }
        match denial(context.action, self.saw_schema_change()) {
            None => Authorization::Allow,
            Some(reason) => {
                self.denied.lock().get_or_insert(reason);
                Authorization::Deny
            }
        }
    }
}

/// Whether a name belongs to the host's own tables, indexes and so on.
pub(super) fn is_host_name(name: &str) -> bool {
    name.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("hull_"))
}

/// Whether a statement with this action makes, changes or takes out something of the schema.
fn changes_schema(action: AuthAction<'_>) -> bool {
    use AuthAction as A;
    matches!(
        action,
        A::CreateVtable { .. }
            | A::CreateIndex { .. }
            | A::CreateTable { .. }
            | A::CreateTrigger { .. }
            | A::CreateView { .. }
            | A::DropIndex { .. }
            | A::DropTable { .. }
            | A::DropTrigger { .. }
            | A::DropView { .. }
            | A::DropVtable { .. }
            | A::AlterTable { .. }
            | A::Reindex { .. }
            | A::Analyze { .. }
    )
}

/// Why the action is denied, or none if it is allowed. `in_schema_change`: of a statement that changes the schema.
fn denial(action: AuthAction<'_>, in_schema_change: bool) -> Option<String> {
    use AuthAction as A;
    if let Some(name) = names(action).into_iter().flatten().find(|name| is_host_name(name)) {
        return Some(format!("{name}: tables that begin with hull_ belong to the host"));
    }
    match action {
        A::Select | A::Recursive => None,
        A::Read { table_name, .. } => read_denial(table_name),
        A::Function { function_name } => FUNCTIONS_DENIED
            .iter()
            .any(|denied| function_name.eq_ignore_ascii_case(denied))
            .then(|| format!("the function {function_name} may not be used")),
        A::Insert { table_name } | A::Delete { table_name } | A::Update { table_name, .. } => {
            // What SQLite itself does to them on the way is asked for like what a statement says.
            let own = is_schema_table(table_name) || (in_schema_change && is_sqlite_name(table_name));
            (is_sqlite_name(table_name) && !own).then(|| format!("{table_name} belongs to SQLite itself"))
        }
        // FTS5 asks for it on its own behalf, to see whether others wrote to its tables.
        A::Pragma { pragma_name, pragma_value: None } if pragma_name.eq_ignore_ascii_case("data_version") => None,
        A::Pragma { pragma_name, .. } => Some(format!("PRAGMA {pragma_name}: pragmas may not be read or set")),
        A::Transaction { .. } | A::Savepoint { .. } => Some(
            "transactions are not controlled by SQL: use hull:transactions (an event handler is in one already)"
                .to_owned(),
        ),
        A::Attach { .. } | A::Detach { .. } => Some(
            "a component has one database: ATTACH, DETACH and VACUUM \
             may not be used"
                .to_owned(),
        ),
        A::CreateTempIndex { .. }
        | A::CreateTempTable { .. }
        | A::CreateTempTrigger { .. }
        | A::CreateTempView { .. }
        | A::DropTempIndex { .. }
        | A::DropTempTable { .. }
        | A::DropTempTrigger { .. }
        | A::DropTempView { .. } => {
            Some("temporary tables would outlive the invocation: they may not be used".to_owned())
        }
        A::CreateVtable { module_name, .. } if !module_name.eq_ignore_ascii_case("fts5") => {
            Some(format!("the virtual table module {module_name} may not be used; fts5 may"))
        }
        schema if changes_schema(schema) => None,
        other => Some(format!("{other:?} may not be used")),
    }
}

fn read_denial(table: &str) -> Option<String> {
    let shows_too_much = TABLES_DENIED.iter().any(|denied| table.eq_ignore_ascii_case(denied));
    let is_pragma = table.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case("pragma_"));
    (shows_too_much || is_pragma).then(|| format!("the table {table} may not be read"))
}

/// SQLite lets nobody write to it by name, but asks for it before each change of the schema, so that it is no use to
/// deny it.
fn is_schema_table(table: &str) -> bool {
    ["sqlite_master", "sqlite_schema"].iter().any(|schema| table.eq_ignore_ascii_case(schema))
}

fn is_sqlite_name(name: &str) -> bool {
    name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case("sqlite_"))
}

/// Every name of a table, index, view or trigger that an action mentions.
fn names(action: AuthAction<'_>) -> [Option<&str>; 2] {
    use AuthAction as A;
    match action {
        A::CreateIndex { index_name, table_name }
        | A::CreateTempIndex { index_name, table_name }
        | A::DropIndex { index_name, table_name }
        | A::DropTempIndex { index_name, table_name } => [Some(index_name), Some(table_name)],
        A::CreateTrigger { trigger_name, table_name }
        | A::CreateTempTrigger { trigger_name, table_name }
        | A::DropTrigger { trigger_name, table_name }
        | A::DropTempTrigger { trigger_name, table_name } => [Some(trigger_name), Some(table_name)],
        A::CreateView { view_name }
        | A::CreateTempView { view_name }
        | A::DropView { view_name }
        | A::DropTempView { view_name } => [Some(view_name), None],
        A::CreateTable { table_name }
        | A::CreateTempTable { table_name }
        | A::DropTable { table_name }
        | A::DropTempTable { table_name }
        | A::Delete { table_name }
        | A::Insert { table_name }
        | A::Read { table_name, .. }
        | A::Update { table_name, .. }
        | A::AlterTable { table_name, .. }
        | A::Analyze { table_name }
        | A::CreateVtable { table_name, .. }
        | A::DropVtable { table_name, .. } => [Some(table_name), None],
        A::Reindex { index_name } => [Some(index_name), None],
        A::Unknown { arg1, arg2, .. } => [arg1, arg2],
        _ => [None, None],
    }
}
