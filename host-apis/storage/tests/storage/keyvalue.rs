//! The key-value store.

use std::collections::BTreeSet;

use hull_storage::{KEY_BYTES_MAX, StorageError, Swapped};

use crate::fixture::{Fixture, On, on_both};

on_both! {
    values_come_back_and_go,
    batches_happen_whole_or_not_at_all,
    listing_goes_through_all_keys_once,
    no_increment_is_lost,
    numbers_are_decimal_and_do_not_wrap,
    of_all_who_swap_from_the_same_value_one_wins,
    keys_and_values_are_bounded,
}

async fn values_come_back_and_go(on: On) {
    let fixture = Fixture::new(on);
    let session = fixture.session();
    assert_eq!(session.get("a".into()).await, Ok(None));
    session.set("a".into(), b"1".to_vec()).await.expect("set");
    session.set("a".into(), b"2".to_vec()).await.expect("set");
    assert_eq!(session.get("a".into()).await, Ok(Some(b"2".to_vec())));
    assert_eq!(session.exists("a".into()).await, Ok(true));
    session.delete("a".into()).await.expect("delete");
    session.delete("a".into()).await.expect("deleting nothing is fine");
    assert_eq!(session.exists("a".into()).await, Ok(false));
}

async fn batches_happen_whole_or_not_at_all(on: On) {
    let fixture = Fixture::new(on);
    let session = fixture.session();
    let value = |text: &str| text.as_bytes().to_vec();
    session.set_many(vec![("a".into(), value("1")), ("b".into(), value("2"))]).await.expect("set");
    let found = session.get_many(vec!["b".into(), "x".into(), "a".into()]).await.expect("get");
    assert_eq!(found, [Some(("b".into(), value("2"))), None, Some(("a".into(), value("1")))]);
    let bad = vec![("c".into(), value("3")), (String::new(), value("4"))];
    assert!(matches!(session.set_many(bad).await, Err(StorageError::Invalid(_))));
    assert_eq!(session.exists("c".into()).await, Ok(false), "the first of a failed batch is not kept");
    session.delete_many(vec!["a".into(), "b".into()]).await.expect("delete");
    assert_eq!(session.list_keys(None).await.expect("list").keys, Vec::<String>::new());
}

async fn listing_goes_through_all_keys_once(on: On) {
    let fixture = Fixture::new(on);
    let session = fixture.session();
    let all: BTreeSet<String> = (0..2500).map(|number| format!("key/{number}")).collect();
    let names: Vec<_> = all.iter().cloned().collect();
    for part in names.chunks(500) {
        session.set_many(part.iter().map(|key| (key.clone(), Vec::new())).collect()).await.expect("set");
    }
    let (mut cursor, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = session.list_keys(cursor).await.expect("list");
        seen.extend(page.keys);
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, names);
}

async fn no_increment_is_lost(on: On) {
    let fixture = Fixture::new(on);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let session = fixture.session();
            tokio::spawn(async move {
                for _ in 0..25 {
                    session.increment("n".into(), 2).await.expect("increment");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    assert_eq!(fixture.session().get("n".into()).await, Ok(Some(b"800".to_vec())));
}

async fn numbers_are_decimal_and_do_not_wrap(on: On) {
    let fixture = Fixture::new(on);
    let session = fixture.session();
    session.set("text".into(), b"abc".to_vec()).await.expect("set");
    assert!(matches!(session.increment("text".into(), 1).await, Err(StorageError::Invalid(_))));
    assert_eq!(session.increment("n".into(), i64::MAX).await, Ok(i64::MAX));
    assert!(matches!(session.increment("n".into(), 1).await, Err(StorageError::Invalid(_))));
    assert_eq!(session.increment("n".into(), -1).await, Ok(i64::MAX - 1));
}

async fn of_all_who_swap_from_the_same_value_one_wins(on: On) {
    let fixture = Fixture::new(on);
    let tasks: Vec<_> = (0..16_u8)
        .map(|number| {
            let session = fixture.session();
            tokio::spawn(async move { session.swap("k".into(), None, vec![number]).await.expect("swap") })
        })
        .collect();
    let (mut winners, mut losers) = (0, Vec::new());
    for task in tasks {
        match task.await.expect("a task") {
            Swapped::Done => winners += 1,
            Swapped::Changed(present) => losers.push(present),
        }
    }
    assert_eq!(winners, 1);
    let present = fixture.session().get("k".into()).await.expect("get");
    assert!(losers.iter().all(|seen| *seen == present), "losers see the winner's value");
}

async fn keys_and_values_are_bounded(on: On) {
    let fixture = Fixture::with_limits(on, |limits| limits.value_bytes_max = 1000);
    let session = fixture.session();
    session.set("k".repeat(KEY_BYTES_MAX), vec![0; 1000]).await.expect("at the bounds");
    for (key, size) in [(String::new(), 1), ("k".repeat(KEY_BYTES_MAX + 1), 1), ("k".to_owned(), 1001)] {
        let refused = session.set(key, vec![0; size]).await;
        assert!(matches!(refused, Err(StorageError::Invalid(_))), "{refused:?}");
    }
}
