//! A customer who orders under idempotency keys, at a steady rate, and asks again under the same key until there is an
//! answer: whatever breaks in between must not make a second order.

use std::time::Duration;

use hull_tests::http::{Answer, Client, Request};
use hull_tests::shop::customer;
use serde_json::{Value, json};

use crate::journal::Journal;
use crate::market::Shelf;
use crate::random::Random;
use crate::street::Street;

/// From one order to the next.
const BETWEEN: Duration = Duration::from_millis(280);
/// The shop lists so many orders and notifications of one user at most.
const ORDERS_PER_USER: u64 = 40;

const CARDS: [(&str, u64); 5] =
    [("tok_ok", 50), ("tok_declined", 15), ("tok_flaky", 20), ("tok_slow", 10), ("tok_of_nobody", 5)];

/// How an order is asked for the first time.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Plainly,
    /// Everything is sent, and nobody waits for the answer.
    Leaving,
    /// The connection ends in the middle of the request.
    BreakingOff,
    /// Two at the same time.
    Twice,
}

const MANNERS: [(Manner, u64); 4] =
    [(Manner::Plainly, 70), (Manner::Leaving, 12), (Manner::BreakingOff, 8), (Manner::Twice, 10)];

/// See the module.
pub(crate) struct Buyer<'a> {
    pub(crate) street: &'a Street,
    pub(crate) journal: &'a Journal,
    pub(crate) shelves: &'a [Shelf],
    pub(crate) random: Random,
}

impl Buyer<'_> {
    /// Until the shop closes; an order that was begun then is asked for until it is answered.
    pub(crate) fn run(mut self) {
        let mut user = None;
        let mut orders = 0;
        while !self.street.is_closed() {
            if orders % ORDERS_PER_USER == 0 {
                user = self.sign_up();
            }
            let Some(user) = &user else { return };
            orders += 1;
            let begun = hull_clock::now();
            self.buy(user);
            std::thread::sleep(BETWEEN.saturating_sub(begun.elapsed()));
        }
    }

    fn sign_up(&mut self) -> Option<String> {
        let street = self.street;
        street.until_done(|client| {
            let user = json!({"email": format!("{}@example.com", self.random.id()), "name": "Ada"});
            let answer = self.heard(client.post("/api/users", &user))?;
            (answer.status() == 201).then(|| customer::text(&answer.json().ok()?, "id").ok())?
        })
    }

    fn buy(&mut self, user: &str) {
        let (key, token) = (self.random.id(), self.random.weighted(&CARDS).unwrap_or("tok_ok"));
        let order = json!({"userId": user, "items": self.items(), "paymentToken": token});
        self.journal.asking(&key, token);
        let manner = self.random.weighted(&MANNERS).unwrap_or(Manner::Plainly);
        if let Some(client) = self.street.client() {
            self.first(asking(&client, &key, &order), manner);
        }
        let Some(id) = self.street.until_done(|client| {
            let answer = self.heard(asking(client, &key, &order).send())?;
            self.accepted(&key, &answer)
        }) else {
            return;
        };
        if self.random.percent(10) {
            // Much later the key is still the same order's.
            self.heard_once(
                |client| asking(client, &key, &order).send(),
                |buyer, answer| {
                    buyer.accepted(&key, answer);
                },
            );
        }
        if self.random.percent(6) {
            self.heard_once(
                |client| client.post(&format!("/api/orders/{id}/cancel"), &Value::Null),
                |buyer, answer| {
                    buyer.must_know(&id, answer);
                },
            );
        }
        if self.random.percent(20) {
            self.heard_once(
                |client| client.get(&format!("/api/orders/{id}")),
                |buyer, answer| {
                    buyer.must_know(&id, answer);
                },
            );
        }
    }

    fn items(&mut self) -> Value {
        let lines = if self.random.percent(25) { 2 } else { 1 };
        let mut from = self.random.below(self.shelves.len() as u64) as usize;
        let mut items = Vec::new();
        for _ in 0..lines {
            if let Some(shelf) = self.shelves.get(from % self.shelves.len()) {
                items.push(json!({"productId": shelf.product, "quantity": self.random.between(1, 3)}));
            }
            from += 1 + self.random.below(3) as usize;
        }
        Value::from(items)
    }

    fn first(&mut self, request: Request, manner: Manner) {
        match manner {
            Manner::Plainly => {}
            Manner::Leaving => {
                let left = request.start();
                std::thread::sleep(Duration::from_millis(self.random.below(20)));
                drop(left);
            }
            Manner::BreakingOff => drop(request.begin(self.random.between(20, 400) as usize)),
            // Nobody hears the first of the two.
            Manner::Twice => drop(std::thread::spawn(move || drop(request.send()))),
        }
    }

    /// Do something once if the shop is there, whatever comes of it.
    fn heard_once(&self, ask: impl Fn(&Client) -> anyhow::Result<Answer>, then: impl Fn(&Self, &Answer)) {
        let Some(client) = self.street.client() else { return };
        if let Some(answer) = self.heard(ask(&client)) {
            then(self, &answer);
        }
    }

    fn heard(&self, answer: anyhow::Result<Answer>) -> Option<Answer> {
        self.journal.answered(answer.as_ref().map_or(0, Answer::status));
        answer.ok()
    }

    /// The order's id if it was accepted. What is not for the shop's state of the moment to refuse is a flaw.
    fn accepted(&self, key: &str, answer: &Answer) -> Option<String> {
        match answer.status() {
            202 => {
                let id = answer.json().and_then(|told| customer::text(&told, "orderId")).ok()?;
                self.journal.accepted(key, &id);
                Some(id)
            }
            429 | 500..=599 => None,
            other => {
                self.journal.flaw(format!("an order under the key {key} was answered {other}: {}", answer.text()));
                None
            }
        }
    }

    /// An order that was accepted is there from then on.
    fn must_know(&self, id: &str, answer: &Answer) {
        if matches!(answer.status(), 400..=408 | 410..=428) {
            self.journal.flaw(format!("accepted order {id} was answered {}: {}", answer.status(), answer.text()));
        }
    }
}

fn asking(client: &Client, key: &str, order: &Value) -> Request {
    client.request("POST", "/api/orders").header("idempotency-key", key).json(order)
}
