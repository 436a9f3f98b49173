//! The interface as a guest meets it, on a real database.

use std::time::Duration;

use hull_invocation::{ComponentId, Lineage};
use hull_storage::{ComponentDir, Database, DatabaseOptions, Migration, SessionOptions};
use tempfile::TempDir;
use wasmtime::component::Linker;

use crate::bindings::hull::sql::database::Host as _;
use crate::bindings::hull::sql::types::{ConstraintKind, Error, Value};
use crate::{SqlCtx, SqlView, add_to_linker};

struct Guest {
    _folder: TempDir,
    ctx: SqlCtx,
}

impl Guest {
    async fn new(granted: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let component = ComponentId::new("shop", "orders");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let mut options = DatabaseOptions::new(component.clone());
        options.limits.rows_max = 2;
        options.limits.statement_time = Duration::from_secs(30);
        options.limits.transaction_time = Duration::from_secs(30);
        let database = Database::new(&directory, options);
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, v)".to_owned();
        database.migrate(&[Migration { number: 1, name: "t".into(), sql }]).await.expect("migrate");
        let session = database.session(SessionOptions {
            frame: Lineage::root(component.clone()).frame().clone(),
            deadline: hull_clock::now() + Duration::from_secs(30),
            event: None,
            expects_reply: false,
        });
        Self { _folder: folder, ctx: SqlCtx::new(component, granted.then_some(session)) }
    }

    fn view(&mut self) -> SqlView<'_> {
        SqlView { ctx: &mut self.ctx }
    }
}

#[test]
fn the_interface_can_be_linked() {
    let mut linker: Linker<Guest> = Linker::new(&wasmtime::Engine::default());
    add_to_linker(&mut linker, Guest::view).expect("link");
}

#[tokio::test]
async fn what_is_not_granted_names_the_line() {
    let mut guest = Guest::new(false).await;
    match guest.view().query("SELECT 1".into(), Vec::new()).await.expect("no trap") {
        Err(Error::Denied(text)) => {
            assert!(text.contains("sqlite_databases = [\"default\"]") && text.contains("[component.orders]"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let denied = guest.view().execute("SELECT 1".into(), Vec::new()).await.expect("no trap");
    assert!(matches!(denied, Err(Error::Denied(_))));
}

#[tokio::test]
async fn statements_go_through_with_every_type() {
    let mut guest = Guest::new(true).await;
    let mut view = guest.view();
    let insert = "INSERT INTO t (v) VALUES ($1), ($2)";
    let values = vec![Value::Text("ä".into()), Value::Blob(vec![1, 2])];
    assert!(matches!(view.execute(insert.into(), values).await, Ok(Ok(2))));
    let select = "SELECT id, v FROM t ORDER BY id";
    let result = view.query(select.into(), Vec::new()).await.expect("no trap").expect("rows");
    assert_eq!(result.columns, ["id", "v"]);
    assert!(matches!(&result.rows[0][..], [Value::Integer(1), Value::Text(text)] if text == "ä"), "{:?}", result.rows);
    assert!(matches!(&result.rows[1][..], [Value::Integer(2), Value::Blob(bytes)] if bytes == &[1, 2]));
    let rest = vec![Value::Null, Value::Boolean(true), Value::Real(0.5)];
    let result = view.query("SELECT $1, $2, $3".into(), rest).await.expect("no trap").expect("rows");
    assert!(matches!(&result.rows[0][..], [Value::Null, Value::Integer(1), Value::Real(half)] if *half > 0.4));
}

#[tokio::test]
async fn errors_keep_their_kind() {
    let mut guest = Guest::new(true).await;
    let mut view = guest.view();
    let mut run = async |sql: &str| view.query(sql.into(), Vec::new()).await.expect("no trap");
    run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)").await.expect("insert");
    match run("INSERT INTO t VALUES (1, 1)").await {
        Err(Error::Constraint(violation)) => assert!(matches!(violation.kind, ConstraintKind::Unique)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(run("SELECT * FROM t").await, Err(Error::TooManyRows(2))));
    assert!(matches!(run("SELECT * FROM nowhere").await, Err(Error::Invalid(_))));
    assert!(matches!(run("SELECT * FROM hull_kv").await, Err(Error::Denied(_))));
}
