//! The state directory: one owner, one format, and no way out of it.

use std::os::unix::fs::{PermissionsExt, symlink};

use hull_invocation::ComponentId;
use hull_storage::{Database, DatabaseOptions, StateDir, StateDirError};

#[test]
fn it_has_one_owner_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/state");
    let first = StateDir::open(&path).expect("open");
    let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    match StateDir::open(&path) {
        Err(StateDirError::Held { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    let component = first.component(&ComponentId::new("shop", "orders")).expect("a folder");
    drop(first);
    assert!(StateDir::open(&path).is_err(), "somebody still works in it");
    let options = DatabaseOptions::new(ComponentId::new("shop", "orders"));
    let database = Database::new(&component, options);
    drop(component);
    assert!(StateDir::open(&path).is_err(), "its database is still there");
    drop(database);
    StateDir::open(&path).expect("free again");
}

#[test]
fn another_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["2\n", "", "x"] {
        std::fs::write(folder.path().join("format"), format).expect("write");
        let refused = StateDir::open(folder.path());
        assert!(matches!(refused, Err(StateDirError::Format { .. })), "{refused:?}");
        assert_eq!(std::fs::read_to_string(folder.path().join("format")).expect("read"), format);
    }
}

#[test]
fn names_lead_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = tempfile::tempdir().expect("a folder");
    let state = StateDir::open(folder.path()).expect("open");
    for name in ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", ".hidden", "ä", &"x".repeat(200)] {
        let refused = state.component(&ComponentId::new("shop", name));
        assert!(matches!(refused, Err(StateDirError::Name(_))), "{name:?}: {refused:?}");
        assert!(state.folder(name).is_err(), "{name:?}");
    }
    state.component(&ComponentId::new("shop", "orders")).expect("a folder");
    symlink(outside.path(), folder.path().join("apps/shop/linked")).expect("a link");
    let refused = state.component(&ComponentId::new("shop", "linked"));
    assert!(matches!(refused, Err(StateDirError::Io { .. })), "{refused:?}");
    let made = state.folder("cache").expect("a folder").1;
    assert_eq!(made, state.path().join("cache"));
}
