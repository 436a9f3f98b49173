//! What is committed is there as a whole, what is not committed is not there, and damage is told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hull_manifest::Name;
use parking_lot::Mutex;

use super::{Store, StoreError};
use crate::node::crash_points::CrashPoints;
use crate::revisions::{Content, Draft, FileRecord, Record, RolloutPlan, RolloutRecord, UploadPlaces};

fn open(folder: &Path) -> Store {
    Store::open(folder.to_owned(), Arc::new(CrashPoints::new(None))).expect("a store")
}

fn shop() -> Name {
    "shop".parse().expect("a name")
}

fn file(path: &str, text: &str) -> FileRecord {
    FileRecord { path: path.to_owned(), bytes: text.len() as u64, sha256: Content::of(text.as_bytes()) }
}

fn record(revision: u64, texts: &[&str]) -> Record {
    Record {
        app: "shop".to_owned(),
        revision,
        time: "2026-01-01T00:00:00Z".to_owned(),
        by: "ci".to_owned(),
        message: String::new(),
        restores: None,
        forced: Vec::new(),
        version: String::new(),
        manifest: file("spin.toml", "manifest"),
        files: texts.iter().map(|text| file(&format!("folder/{text}.wasm"), text)).collect(),
        components: BTreeMap::new(),
        signed_by: BTreeMap::new(),
        variables: BTreeMap::new(),
    }
}

/// What an upload leaves.
fn draft(store: &Store, texts: &[&str]) -> Draft {
    let draft = Draft::empty(&UploadPlaces(store.incoming())).expect("made");
    for text in texts {
        std::fs::write(draft.contents().join(Content::of(text.as_bytes()).as_str()), text).expect("written");
    }
    draft
}

/// What is laid out of a revision that was committed.
fn laid_out(store: &Store, record: &Record) -> Result<Draft, StoreError> {
    let draft = draft(store, &[]);
    store.lay_out(record, &draft).map(|()| draft)
}

fn contents(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("content")).expect("a folder").count()
}

#[test]
fn what_is_committed_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    assert!(store.current(&shop()).expect("readable").is_none() && store.apps().expect("readable").is_empty());
    let first = record(1, &["a", "b"]);
    store.commit(&first, &draft(&store, &["manifest", "a", "b"])).expect("committed");
    let second = record(2, &["a", "c"]);
    store.commit(&second, &draft(&store, &["manifest", "a", "c"])).expect("committed");
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.apps().expect("readable"), [shop()]);
    assert_eq!(store.current(&shop()).expect("readable"), Some(second.clone()));
    assert_eq!(store.record(&shop(), 1).expect("readable"), first);
    assert_eq!(store.history(&shop(), None, 10).expect("readable"), [second.clone(), first.clone()]);
    assert_eq!(store.history(&shop(), Some(2), 10).expect("readable"), [first.clone()]);
    assert!(matches!(store.record(&shop(), 3), Err(StoreError::NoRevision { .. })));
    assert!(matches!(store.record(&shop(), 0), Err(StoreError::NoRevision { .. })));
    assert_eq!(store.manifest(&first, None).expect("readable"), "manifest");
    let draft = laid_out(&store, &first).expect("laid out");
    assert_eq!(std::fs::read_to_string(draft.tree().join("folder/b.wasm")).expect("there"), "b");
}

#[test]
fn what_was_not_committed_is_cleared_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    store.commit(&record(1, &["a"]), &draft(&store, &["manifest", "a"])).expect("committed");
    // As a crash right before the last step of a commit leaves it.
    store.keep(&record(2, &["b"]), &draft(&store, &["manifest", "b"]).contents()).expect("kept");
    let text = serde_json::to_string(&record(2, &["b"])).expect("JSON");
    std::fs::write(folder.path().join("apps/shop/2.json"), text).expect("written");
    assert!(matches!(store.record(&shop(), 2), Err(StoreError::NoRevision { .. })));
    assert_eq!(contents(folder.path()), 3);
    drop(store);
    let store = open(folder.path());
    assert_eq!(contents(folder.path()), 2);
    assert!(!folder.path().join("apps/shop/2.json").exists());
    assert_eq!(store.current(&shop()).expect("readable"), Some(record(1, &["a"])));
}

#[test]
fn damage_is_told_and_mended_by_the_same_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let first = record(1, &["a"]);
    store.commit(&first, &draft(&store, &["manifest", "a"])).expect("committed");
    let path = folder.path().join("content").join(Content::of(b"a").as_str());
    for damage in ["A", "", "aa"] {
        std::fs::write(&path, damage).expect("written");
        let refused = laid_out(&store, &first).err().expect("it is damaged");
        assert!(refused.to_string().contains("its content has changed"), "{refused}");
    }
    std::fs::remove_file(&path).expect("removed");
    assert!(laid_out(&store, &first).err().expect("missing").to_string().contains("missing"));
    store.commit(&record(2, &["a"]), &draft(&store, &["manifest", "a"])).expect("committed");
    laid_out(&store, &first).expect("whole again");

    let record = folder.path().join("apps/shop/2.json");
    let text = std::fs::read_to_string(&record).expect("there").replace("\"ci\"", "\"me\"");
    std::fs::write(&record, text).expect("written");
    assert!(matches!(store.current(&shop()), Err(StoreError::Damaged { .. })));
    std::fs::write(folder.path().join("apps/shop/current"), "{").expect("written");
    drop(store);
    // The host starts all the same, and removes nothing that might be needed.
    let store = open(folder.path());
    assert_eq!(contents(folder.path()), 2);
    assert!(matches!(store.current(&shop()), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_rollout_that_has_ended_is_kept_no_more_whoever_was_about_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let plan = RolloutPlan { steps: vec![500], interval_ms: 1000, by: "ip".to_owned(), shadow: None };
    let tried = |seed| RolloutRecord { record: record(2, &["a"]), plan: plan.clone(), seed, step: 0, paused: false };
    store.commit(&record(1, &["a"]), &draft(&store, &["manifest", "a"])).expect("committed");
    store.keep_rollout(&tried(7), &draft(&store, &[])).expect("kept");
    let paused = Mutex::new(RolloutRecord { paused: true, ..tried(7) });
    store.update_rollout(&paused).expect("kept");
    assert!(store.rollout(&shop()).expect("readable").is_some_and(|kept| kept.paused));
    store.drop_rollout(&shop()).expect("dropped");
    store.update_rollout(&paused).expect("nothing to do");
    assert_eq!(store.rollout(&shop()).expect("readable"), None);
    // Nor does it take the place of the next one.
    store.keep_rollout(&tried(8), &draft(&store, &[])).expect("kept");
    store.update_rollout(&paused).expect("nothing to do");
    assert_eq!(store.rollout(&shop()).expect("readable"), Some(tried(8)));
}
