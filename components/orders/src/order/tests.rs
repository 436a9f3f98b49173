//! Every order of the events that others send leads to one end.

use super::*;

fn placed() -> Order {
    let line = Line {
        product_id: "p".into(),
        name: "Mug".into(),
        quantity: 2,
        price_cents: Cents::try_from(500).expect("an amount"),
    };
    let fact = Fact::Placed {
        user_id: "u".into(),
        items: vec![line],
        total_cents: Cents::try_from(1_000).expect("an amount"),
        currency: "EUR".into(),
    };
    Order::begun("o", 100, &fact).expect("begins")
}

fn charged() -> Fact {
    Fact::Charged { payment_id: "pay".into() }
}

fn refunded() -> Fact {
    Fact::Refunded { payment_id: "pay".into() }
}

fn declined() -> Fact {
    Fact::Declined { reason: "the card was declined".into() }
}

/// Lets an order hear facts, one after the other.
fn after(mut order: Order, heard: Vec<Fact>) -> (Order, Vec<Fact>) {
    let mut history = Vec::new();
    for fact in heard {
        for follows in order.heard(fact) {
            order.apply(200, &follows);
            history.push(follows);
        }
    }
    (order, history)
}

#[test]
fn a_charge_confirms_even_if_it_is_heard_of_before_the_reservation() {
    for heard in [vec![Fact::Reserved, charged()], vec![charged(), Fact::Reserved]] {
        let (order, history) = after(placed(), heard);
        assert_eq!((order.status, order.reason), (Status::Confirmed, None));
        assert_eq!(history.iter().filter(|f| **f == Fact::Confirmed).count(), 1);
        assert_eq!(order.version, 4);
    }
}

#[test]
fn a_rejection_or_a_declined_card_cancels_with_its_reason() {
    let (order, _) = after(placed(), vec![Fact::Rejected { reason: "out of stock".into() }]);
    assert_eq!((order.status, order.reason.as_deref()), (Status::Cancelled, Some("out of stock")));
    let (order, _) = after(placed(), vec![Fact::Reserved, declined()]);
    assert_eq!((order.status, order.reason.as_deref()), (Status::Cancelled, Some("the card was declined")));
}

#[test]
fn a_cancelled_order_stays_cancelled_when_the_charge_comes_late() {
    let mut order = placed();
    for fact in order.cancelled_by_customer().expect("pending") {
        order.apply(150, &fact);
    }
    let (order, history) = after(order, vec![Fact::Reserved, charged(), refunded()]);
    assert_eq!(order.status, Status::Cancelled);
    assert_eq!(history, [Fact::Reserved, charged(), refunded()]);
    assert_eq!(order.cancelled_by_customer(), Ok(vec![]));
}

#[test]
fn a_confirmed_order_cannot_be_undone() {
    let (order, _) = after(placed(), vec![charged()]);
    assert_eq!(order.cancelled_by_customer(), Err(Refused::Confirmed));
}

#[test]
fn notes_have_an_end() {
    let mut order = placed();
    for _ in 0..NOTES_MAX {
        let facts = order.noted("ring twice").expect("room");
        order.apply(300, &facts[0]);
    }
    assert_eq!(order.noted("once more"), Err(Refused::TooManyNotes));
    assert_eq!(order.status, Status::Pending);
}

#[test]
fn facts_and_orders_are_read_as_they_were_written() {
    let fact = Fact::Noted { text: "ring twice".into() };
    let json = serde_json::to_string(&fact).expect("JSON");
    assert_eq!(json, r#"{"event":"noted","text":"ring twice"}"#);
    assert_eq!(serde_json::from_str::<Fact>(&json).expect("a fact"), fact);
    let order = placed();
    let json = serde_json::to_string(&order).expect("JSON");
    assert_eq!(serde_json::from_str::<Order>(&json).expect("an order"), order);
}

#[test]
fn an_order_that_nobody_decides_in_time_is_cancelled() {
    let mut order = placed();
    let facts = order.overdue();
    assert_eq!(facts, [Fact::Cancelled { reason: "not paid in time".into() }]);
    for fact in &facts {
        order.apply(300, fact);
    }
    assert_eq!(order.overdue(), []);
    let (confirmed, _) = after(placed(), vec![Fact::Reserved, charged()]);
    assert_eq!(confirmed.overdue(), []);
    let (late, history) = after(order, vec![Fact::Reserved, charged(), refunded()]);
    assert_eq!((late.status, history.len()), (Status::Cancelled, 3));
}
