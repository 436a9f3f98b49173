//! Each promise, broken once.

use std::collections::BTreeMap;

use super::flaws;
use crate::books::{Books, Charge, Order, Stock};
use crate::journal::{Asked, Notes};
use crate::market::Shelf;

fn charge(status: &str) -> Charge {
    Charge { status: status.to_owned(), amount_cents: 500 }
}

fn order(status: &str) -> Order {
    Order { status: status.to_owned(), total_cents: 500, lines: vec![("lamp".to_owned(), 2)] }
}

/// One confirmed order `a`, one cancelled `b`, one line.
fn good() -> (Notes, Books, Vec<Shelf>) {
    let text = |one: &str| one.to_owned();
    let mut notes = Notes::default();
    notes.orders.insert(text("ka"), Asked { token: "tok_ok", order: Some(text("a")) });
    notes.orders.insert(text("kb"), Asked { token: "tok_declined", order: Some(text("b")) });
    notes.written.insert(text("line"));
    notes.written.insert(text("next"));
    let heard = || vec![text("line"), text("next")];
    let books = Books {
        orders: BTreeMap::from([(text("a"), order("confirmed")), (text("b"), order("cancelled"))]),
        placements: BTreeMap::from([(text("ka"), text("a")), (text("kb"), text("b"))]),
        payments: BTreeMap::from([(text("a"), text("charged")), (text("b"), text("declined"))]),
        charges: BTreeMap::from([(text("a"), vec![charge("charged")]), (text("b"), vec![charge("declined")])]),
        reservations: BTreeMap::from([(text("a"), text("committed")), (text("b"), text("released"))]),
        stock: BTreeMap::from([(text("lamp"), Stock { available: 8, reserved: 0, sold: 2 })]),
        notifications: BTreeMap::from([(text("a"), vec![text("confirmed")]), (text("b"), vec![text("cancelled")])]),
        written: heard(),
        heard: [heard(), heard()],
        outboxes: BTreeMap::from([(text("orders"), 0)]),
        ..Books::default()
    };
    (notes, books, vec![Shelf { product: text("lamp"), put_in: 10 }])
}

/// What is said after that change.
fn said(change: impl FnOnce(&mut Notes, &mut Books)) -> String {
    let (mut notes, mut books, shelves) = good();
    change(&mut notes, &mut books);
    flaws(&notes, &books, &shelves).join("\n")
}

#[test]
fn nothing_is_said_of_good_books() {
    assert_eq!(said(|_, _| {}), "");
}

#[test]
fn orders_are_there_once_for_each_key_and_have_ended() {
    assert!(said(|_, books| drop(books.orders.remove("a"))).contains("is gone"));
    assert!(said(|_, books| drop(books.orders.insert("a".into(), order("pending")))).contains("for ever"));
    assert!(said(|notes, _| drop(notes.orders.remove("ka"))).contains("nobody used"));
    assert!(said(|_, books| drop(books.orders.insert("c".into(), order("cancelled")))).contains("one for each"));
    assert!(said(|_, books| drop(books.placements.insert("ka".into(), "b".into()))).contains("has made"));
    let unanswered = Asked { token: "tok_ok", order: None };
    assert!(said(|notes, _| drop(notes.orders.insert("ka".into(), unanswered))).contains("never answered"));
    let declined = Asked { token: "tok_declined", order: Some("a".into()) };
    assert!(said(|notes, _| drop(notes.orders.insert("ka".into(), declined))).contains("cannot be charged"));
}

#[test]
fn money_goods_and_words_belong_to_the_end_of_an_order() {
    let charges = |id: &'static str, charges: Vec<Charge>| {
        said(move |_, books| drop(books.charges.insert(id.to_owned(), charges))).contains("the provider has")
    };
    assert!(charges("a", vec![charge("charged"), charge("charged")]));
    assert!(charges("a", vec![]));
    assert!(charges("a", vec![Charge { amount_cents: 499, ..charge("charged") }]));
    assert!(charges("b", vec![charge("charged")]));
    assert!(charges("b", vec![charge("refunded")]), "payments do not know of it");
    assert!(said(|_, books| drop(books.reservations.remove("a"))).contains("its goods are None"));
    assert!(said(|_, books| drop(books.reservations.insert("b".into(), "held".into()))).contains("its goods"));
    assert!(said(|_, books| drop(books.notifications.remove("b"))).contains("was told None"));
    let twice = vec!["confirmed".to_owned(), "cancelled".to_owned()];
    assert!(said(|_, books| drop(books.notifications.insert("a".into(), twice))).contains("was told"));
    assert!(said(|_, books| books.offers.push("a".into())).contains("token"));
    assert!(said(|_, books| drop(books.charges.insert("z".into(), vec![]))).contains("which is not there"));
}

#[test]
fn stock_adds_up() {
    for stock in [
        Stock { available: 7, reserved: 1, sold: 2 },
        Stock { available: 7, reserved: 0, sold: 2 },
        Stock { available: 7, reserved: 0, sold: 3 },
    ] {
        assert!(said(|_, books| books.stock = BTreeMap::from([("lamp".into(), stock)])).contains("were put in"));
    }
}

#[test]
fn lines_are_there_once() {
    assert!(said(|_, books| books.written.clear()).contains("it is not"));
    assert!(said(|_, books| books.heard[0].push("line".into())).contains("first has line line 2 times"));
    assert!(said(|_, books| books.heard[1].clear()).contains("second has never heard"));
    assert!(said(|_, books| books.heard[1].push("other".into())).contains("not written"));
    assert!(said(|_, books| books.heard[1].reverse()).contains("heard next then"));
    let side_by_side = |overtaken: Vec<(String, String)>| {
        said(move |_, books| {
            books.heard[1].reverse();
            books.overtaken = Some(overtaken);
        })
    };
    assert_eq!(side_by_side(vec![]), "", "units that ran at the same time are in no order");
    assert!(side_by_side(vec![("line".into(), "next".into())]).contains("otherwise"));
}

#[test]
fn what_is_left_over_is_said() {
    assert!(said(|_, books| books.outboxes = BTreeMap::from([("orders".into(), 1)])).contains("holds 1"));
    assert!(said(|_, books| books.dead_letters.push("carts".into())).contains("dead letter"));
    assert!(said(|_, books| books.damaged.push("carts".into())).contains("damaged"));
    assert!(said(|notes, _| notes.flaws.push("odd".into())).contains("odd"));
}
