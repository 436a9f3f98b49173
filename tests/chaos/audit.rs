//! The promises, as arithmetic over what was asked and what the books say. Pure, so that each of them can be seen to
//! notice what it is there for.

use std::collections::{BTreeMap, BTreeSet};

use crate::books::{Books, Order};
use crate::journal::Notes;
use crate::market::{LISTS, Shelf};

/// Cards that nobody can be charged on.
const NEVER_CHARGED: [&str; 2] = ["tok_declined", "tok_of_nobody"];

/// Everything that is not as it was promised, one sentence each.
pub(crate) fn flaws(notes: &Notes, books: &Books, shelves: &[Shelf]) -> Vec<String> {
    let mut flaws = notes.flaws.clone();
    flaws.extend(books.damaged.iter().map(|told| format!("damaged database: {told}")));
    flaws.extend(books.dead_letters.iter().map(|told| format!("a dead letter that nothing explains: {told}")));
    let left = books.outboxes.iter().filter(|(_, count)| **count > 0);
    flaws.extend(left.map(|(component, count)| format!("the outbox of {component} holds {count}")));
    placed(notes, books, &mut flaws);
    for (id, order) in &books.orders {
        ended(id, order, books, &mut flaws);
    }
    of_nobody(books, &mut flaws);
    stocked(books, shelves, &mut flaws);
    listed(notes, books, &mut flaws);
    flaws
}

/// Every order that was accepted is there, under its key and no other; none is there that nobody asked for.
fn placed(notes: &Notes, books: &Books, flaws: &mut Vec<String>) {
    for (key, asked) in &notes.orders {
        let made = books.placements.get(key);
        match (&asked.order, made) {
            (None, _) => flaws.push(format!("key {key} was never answered")),
            (Some(told), Some(made)) if told == made => {}
            (Some(told), made) => flaws.push(format!("key {key} was answered with order {told} and has made {made:?}")),
        }
        let status = made.and_then(|made| books.orders.get(made)).map(|order| order.status.as_str());
        if status.is_none() {
            flaws.push(format!("order {:?} of key {key} is gone", asked.order));
        }
        if status == Some("confirmed") && NEVER_CHARGED.contains(&asked.token) {
            flaws.push(format!("order {:?} is confirmed although {} cannot be charged", asked.order, asked.token));
        }
    }
    for (key, order) in &books.placements {
        if !notes.orders.contains_key(key) {
            flaws.push(format!("order {order} was made by key {key}, which nobody used"));
        }
    }
    let by_key: BTreeSet<&String> = books.placements.values().collect();
    if by_key.len() != books.placements.len() || books.orders.keys().any(|id| !by_key.contains(id)) {
        let (orders, keys) = (books.orders.len(), books.placements.len());
        flaws.push(format!("{orders} orders of {keys} keys are not one for each"));
    }
}

/// An order has ended, with the money, the goods and the customer's knowledge that belong to its end.
fn ended(id: &str, order: &Order, books: &Books, flaws: &mut Vec<String>) {
    let status = order.status.as_str();
    let none = Vec::new();
    let charges = books.charges.get(id).unwrap_or(&none);
    let paid = charges.iter().filter(|charge| charge.status == "charged").count();
    let payment = books.payments.get(id).map(String::as_str);
    let reserved = books.reservations.get(id).map(String::as_str);
    let (money, goods) = match status {
        "confirmed" => {
            let exact = charges.iter().all(|charge| charge.amount_cents == order.total_cents);
            (paid == 1 && exact && payment == Some("charged"), reserved == Some("committed"))
        }
        "cancelled" => (paid == 0 && payment != Some("charged"), matches!(reserved, Some("released" | "refused"))),
        _ => return flaws.push(format!("order {id} is {status:?} for ever")),
    };
    let refunded = charges.iter().any(|charge| charge.status == "refunded");
    if !money || charges.len() > 1 || refunded != (payment == Some("refunded")) {
        flaws.push(format!("{status} order {id}: the provider has {charges:?}, payments say {payment:?}"));
    }
    if !goods {
        flaws.push(format!("{status} order {id}: its goods are {reserved:?}"));
    }
    let told = books.notifications.get(id);
    if told.is_none_or(|told| *told != [status]) {
        flaws.push(format!("{status} order {id}: its customer was told {told:?}"));
    }
    if books.offers.iter().any(|offer| offer == id) {
        flaws.push(format!("{status} order {id}: its card's token is still kept"));
    }
}

/// Nothing is there about an order that is not.
fn of_nobody(books: &Books, flaws: &mut Vec<String>) {
    let ids = books.charges.keys().chain(books.payments.keys()).chain(books.reservations.keys());
    let unknown: BTreeSet<&String> =
        ids.chain(books.notifications.keys()).filter(|id| !books.orders.contains_key(*id)).collect();
    flaws.extend(unknown.into_iter().map(|id| format!("somebody has heard of order {id}, which is not there")));
}

/// What was put in is available, reserved or sold; and nothing is reserved any more.
fn stocked(books: &Books, shelves: &[Shelf], flaws: &mut Vec<String>) {
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    for order in books.orders.values().filter(|order| order.status == "confirmed") {
        for (product, quantity) in &order.lines {
            *sold.entry(product).or_default() += quantity;
        }
    }
    for shelf in shelves {
        let (product, put_in) = (&shelf.product, shelf.put_in);
        let sold = sold.get(product.as_str()).copied().unwrap_or(0);
        let fits = books
            .stock
            .get(product)
            .is_some_and(|stock| stock.reserved == 0 && stock.sold == sold && stock.available + stock.sold == put_in);
        if !fits {
            let stock = books.stock.get(product);
            flaws.push(format!("product {product}: {put_in} were put in, {sold} are in confirmed orders, {stock:?}"));
        }
    }
}

/// What a clerk has written is in every list once, and in the second in the order in which the first has told it.
fn listed(notes: &Notes, books: &Books, flaws: &mut Vec<String>) {
    let written: BTreeSet<&String> = books.written.iter().collect();
    let gone = notes.written.iter().filter(|id| !written.contains(id));
    flaws.extend(gone.map(|id| format!("{} was told that line {id} is written, and it is not", LISTS[0])));
    for (heard, component) in books.heard.iter().zip(&LISTS[1..]) {
        let mut times: BTreeMap<&String, u64> = BTreeMap::new();
        for id in heard {
            *times.entry(id).or_default() += 1;
        }
        for id in &written {
            match times.get(*id) {
                Some(1) => {}
                Some(times) => flaws.push(format!("{component} has line {id} {times} times")),
                None => flaws.push(format!("{component} has never heard of line {id}")),
            }
        }
        let unknown = times.keys().filter(|id| !written.contains(*id));
        flaws.extend(unknown.map(|id| format!("{component} has line {id}, which was not written")));
    }
    if let Some(overtaken) = &books.overtaken {
        let told = |(earlier, later): &(String, String)| {
            format!("{} told line {earlier} before it began with {later}, {} heard them otherwise", LISTS[1], LISTS[2])
        };
        flaws.extend(overtaken.iter().map(told));
        return;
    }
    let [first, second] = &books.heard;
    if let Some((at, (told, heard))) = first.iter().zip(second).enumerate().find(|(_, (told, heard))| told != heard) {
        flaws.push(format!("{} told line {told} as number {at}, {} heard {heard} then", LISTS[1], LISTS[2]));
    }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
