//! Uploads that are whole, and all the ways in which they are not.

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::{Value, json};

use super::{Draft, UploadError, UploadPlaces, receive};
use crate::revisions::Content;

fn file(path: &str, text: &str) -> Value {
    json!({ "path": path, "bytes": text.len(), "sha256": Content::of(text.as_bytes()).as_str() })
}

fn head(files: &[Value]) -> Value {
    json!({ "format": 1, "manifest": file("spin.toml", "manifest"), "files": files, "message": "why" })
}

/// In pieces of that size.
async fn sent(bytes: &[u8], piece: usize, folder: &std::path::Path) -> Result<Draft, UploadError> {
    let frames = bytes.chunks(piece).map(|piece| Ok::<_, String>(Frame::data(Bytes::copy_from_slice(piece))));
    let frames: Vec<_> = frames.collect();
    receive(StreamBody::new(stream::iter(frames)), &UploadPlaces(folder.to_owned())).await
}

fn upload(head: &Value, content: &str) -> Vec<u8> {
    format!("{head}\n{content}").into_bytes()
}

fn is_empty(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).expect("a folder").next().is_none()
}

#[tokio::test]
async fn whatever_the_pieces_an_upload_arrives_whole_and_goes_with_its_draft() {
    let folder = tempfile::tempdir().expect("a folder");
    // The same content twice is sent once.
    let head = head(&[file("a/x.wasm", "component"), file("b.sql", "sql"), file("c/d.wasm", "component")]);
    let bytes = upload(&head, "manifestcomponentsql");
    for piece in [1, 7, 4096] {
        let draft = sent(&bytes, piece, folder.path()).await.expect("whole");
        let content = draft.contents().join(Content::of(b"component").as_str());
        assert_eq!(std::fs::read_to_string(content).expect("kept"), "component");
        assert_eq!((draft.head.files.len(), draft.head.message.as_str()), (3, "why"));
        drop(draft);
        assert!(is_empty(folder.path()));
    }
}

#[tokio::test]
async fn an_upload_that_is_cut_anywhere_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = upload(&head(&[file("a.wasm", "component")]), "manifestcomponent");
    for length in 0..bytes.len() {
        let refused = sent(&bytes[..length], 16, folder.path()).await;
        assert!(matches!(refused, Err(UploadError::BrokeOff(_))), "cut after {length}");
        assert!(is_empty(folder.path()), "cut after {length}");
    }
    let more = [bytes, b"!".to_vec()].concat();
    assert!(matches!(sent(&more, 16, folder.path()).await, Err(UploadError::Invalid(_))));
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn other_bytes_than_announced_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = upload(&head(&[file("a.wasm", "component")]), "manifestcompOnent");
    let Err(refused) = sent(&bytes, 16, folder.path()).await else { panic!("it was taken") };
    assert!(refused.to_string().contains("a.wasm is not what its digest says"), "{refused}");
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn no_path_leads_out_and_none_is_in_the_way_of_another() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\\b", "a\nb", "a/", &"x".repeat(300)] {
        let refused = sent(&upload(&head(&[file(path, "x")]), "manifestx"), 64, folder.path()).await;
        assert!(matches!(refused, Err(UploadError::Invalid(_))), "{path:?}");
    }
    for clash in [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"]] {
        let files = clash.map(|path| file(path, "x"));
        let refused = sent(&upload(&head(&files), "manifestx"), 64, folder.path()).await;
        assert!(matches!(refused, Err(UploadError::Invalid(_))), "{clash:?}");
    }
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn too_much_is_refused_before_it_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let huge = json!({ "path": "a", "bytes": u64::MAX, "sha256": Content::of(b"").as_str() });
    let many: Vec<Value> = (0..20_001).map(|n| file(&format!("{n}"), "")).collect();
    for head in [head(&[huge]), head(&many), json!({ "format": 1, "message": "x".repeat(9 << 20) })] {
        let refused = sent(&upload(&head, ""), 1 << 20, folder.path()).await;
        assert!(matches!(refused, Err(UploadError::TooLarge(_))));
    }
    let endless = vec![b' '; 10 << 20];
    assert!(matches!(sent(&endless, 1 << 20, folder.path()).await, Err(UploadError::TooLarge(_))));
    for wrong in ["", "null", "[]", "{\"format\":2}", "{\"format\":1}", "{\"format\":1,\"fils\":[]}"] {
        let refused = sent(format!("{wrong}\n").as_bytes(), 64, folder.path()).await;
        assert!(matches!(refused, Err(UploadError::Invalid(_))), "{wrong}");
    }
    let no_digest = head(&[json!({ "path": "a", "bytes": 1, "sha256": "../../x" })]);
    assert!(matches!(sent(&upload(&no_digest, "x"), 64, folder.path()).await, Err(UploadError::Invalid(_))));
    assert!(is_empty(folder.path()));
}
