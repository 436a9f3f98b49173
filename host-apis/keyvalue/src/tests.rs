//! The interface as a guest meets it, on a real database.

use std::time::Duration;

use hull_invocation::{ComponentId, Lineage};
use hull_storage::{ComponentDir, Database, DatabaseOptions, SessionOptions};
use tempfile::TempDir;
use wasmtime::component::{Linker, Resource, ResourceTable};

use crate::bindings::wasi::keyvalue::atomics::{CasError, Host as _, HostCas as _};
use crate::bindings::wasi::keyvalue::batch::Host as _;
use crate::bindings::wasi::keyvalue::store::{Error, Host as _, HostBucket};
use crate::{Bucket, KeyValueCtx, KeyValueView, add_to_linker};

struct Guest {
    _folder: TempDir,
    ctx: KeyValueCtx,
    table: ResourceTable,
}

impl Guest {
    fn new(granted: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let component = ComponentId::new("shop", "carts");
        let directory = ComponentDir::unowned(folder.path()).expect("a folder");
        let mut options = DatabaseOptions::new(component.clone());
        options.limits.statement_time = Duration::from_secs(30);
        options.limits.transaction_time = Duration::from_secs(30);
        let database = Database::new(&directory, options);
        let session = database.session(SessionOptions {
            frame: Lineage::root(component.clone()).frame().clone(),
            deadline: hull_clock::now() + Duration::from_secs(30),
            event: None,
            expects_reply: false,
        });
        let ctx = KeyValueCtx::new(component, granted.then_some(session));
        Self { _folder: folder, ctx, table: ResourceTable::new() }
    }

    fn view(&mut self) -> KeyValueView<'_> {
        KeyValueView { ctx: &mut self.ctx, table: &mut self.table }
    }

    async fn open(&mut self) -> Resource<Bucket> {
        self.view().open("default".into()).await.expect("no trap").expect("a bucket")
    }
}

/// The same handle once more, as a guest that lends it.
fn lend<T>(resource: &Resource<T>) -> Resource<T>
where
    T: 'static,
{
    Resource::new_borrow(resource.rep())
}

#[test]
fn all_three_interfaces_can_be_linked() {
    let mut linker: Linker<Guest> = Linker::new(&wasmtime::Engine::default());
    add_to_linker(&mut linker, Guest::view).expect("link");
}

#[tokio::test]
async fn what_is_not_granted_names_the_line() {
    let mut guest = Guest::new(false);
    match guest.view().open("default".into()).await.expect("no trap") {
        Err(Error::Other(text)) => {
            assert!(text.contains("key_value_stores = [\"default\"]") && text.contains("[component.carts]"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn there_is_one_store() {
    let mut guest = Guest::new(true);
    assert!(matches!(guest.view().open("other".into()).await, Ok(Err(Error::NoSuchStore))));
    guest.open().await;
}

#[tokio::test]
async fn keys_and_batches_go_through() {
    let mut guest = Guest::new(true);
    let bucket = guest.open().await;
    let mut view = guest.view();
    let values = vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())];
    view.set_many(lend(&bucket), values).await.expect("no trap").expect("set");
    view.set(lend(&bucket), "c".into(), b"3".to_vec()).await.expect("no trap").expect("set");
    assert_eq!(view.get(lend(&bucket), "c".into()).await.expect("no trap").expect("get"), Some(b"3".to_vec()));
    assert!(view.exists(lend(&bucket), "a".into()).await.expect("no trap").expect("exists"));
    let found = view.get_many(lend(&bucket), vec!["x".into(), "b".into()]).await.expect("no trap").expect("get");
    assert_eq!(found, [None, Some(("b".to_owned(), b"2".to_vec()))]);
    view.delete(lend(&bucket), "a".into()).await.expect("no trap").expect("delete");
    view.delete_many(lend(&bucket), vec!["b".into()]).await.expect("no trap").expect("delete");
    let page = view.list_keys(lend(&bucket), None).await.expect("no trap").expect("list");
    assert_eq!((page.keys, page.cursor), (vec!["c".to_owned()], None));
    let too_long = view.set(lend(&bucket), "k".repeat(5000), Vec::new()).await.expect("no trap");
    assert!(matches!(too_long, Err(Error::Other(_))));
    assert!(matches!(view.increment(lend(&bucket), "n".into(), 4).await, Ok(Ok(4))));
    HostBucket::drop(&mut view, bucket).await.expect("no trap");
}

#[tokio::test]
async fn a_swap_after_a_change_gives_a_handle_on_the_present_value() {
    let mut guest = Guest::new(true);
    let bucket = guest.open().await;
    let mut view = guest.view();
    let cas = view.new(lend(&bucket), "k".into()).await.expect("no trap").expect("a handle");
    assert_eq!(view.current(lend(&cas)).await.expect("no trap").expect("current"), None);
    view.set(lend(&bucket), "k".into(), b"theirs".to_vec()).await.expect("no trap").expect("set");
    let again = match view.swap(cas, b"mine".to_vec()).await.expect("no trap") {
        Err(CasError::CasFailed(again)) => again,
        other => panic!("{other:?}"),
    };
    assert_eq!(view.current(lend(&again)).await.expect("no trap").expect("current"), Some(b"theirs".to_vec()));
    view.swap(again, b"mine".to_vec()).await.expect("no trap").expect("swap");
    assert_eq!(view.get(bucket, "k".into()).await.expect("no trap").expect("get"), Some(b"mine".to_vec()));
}

#[tokio::test]
async fn too_many_handles_are_an_error_and_no_trap() {
    let mut guest = Guest::new(true);
    guest.table.set_max_capacity(2);
    guest.open().await;
    guest.open().await;
    let refused = guest.view().open("default".into()).await.expect("no trap");
    assert!(matches!(&refused, Err(Error::Other(text)) if text.contains("resources")), "{refused:?}");
}
