//! What the databases of the shop and of its provider hold once both have stopped.

use std::collections::BTreeMap;

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::postgres::PostgresServer;
use serde_json::Value;

use crate::backends::DATABASE;
use crate::database::{Database, number, text};
use crate::market::{LISTS, PROVIDER, SHOP};

/// How many lines out of order are told.
const OVERTAKEN_MAX: usize = 10;

/// An order as the read model has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) status: String,
    pub(crate) total_cents: i64,
    /// Product and quantity.
    pub(crate) lines: Vec<(String, i64)>,
}

/// A line of the provider's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) status: String,
    pub(crate) amount_cents: i64,
}

/// What there is of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stock {
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
}

/// See the module. What belongs to an order is found by its id.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) orders: BTreeMap<String, Order>,
    /// Which order a key has made.
    pub(crate) placements: BTreeMap<String, String>,
    pub(crate) payments: BTreeMap<String, String>,
    pub(crate) offers: Vec<String>,
    pub(crate) charges: BTreeMap<String, Vec<Charge>>,
    pub(crate) reservations: BTreeMap<String, String>,
    pub(crate) stock: BTreeMap<String, Stock>,
    /// What a customer was told of an order.
    pub(crate) notifications: BTreeMap<String, Vec<String>>,
    /// What clerks wrote, and the lists of those who heard of it, in their order.
    pub(crate) written: Vec<String>,
    pub(crate) heard: [Vec<String>; 2],
    /// Where units of work run side by side, so that the lists alone do not tell an order: of two lines the first had
    /// been told before the other was begun with, and the second list has them the other way round.
    pub(crate) overtaken: Option<Vec<(String, String)>>,
    /// By component.
    pub(crate) outboxes: BTreeMap<String, u64>,
    /// In words.
    pub(crate) dead_letters: Vec<String>,
    pub(crate) damaged: Vec<String>,
}

/// Read everything; the shop's from the server if there is one.
pub(crate) fn read(shop: &App, server: Option<&PostgresServer>, provider: &App) -> anyhow::Result<Books> {
    let mut books = Books::default();
    read_hosts_own(&mut books, shop, server, SHOP)?;
    read_hosts_own(&mut books, provider, None, PROVIDER.0)?;
    let of_shop = |component| Database::of(shop, server, SHOP, component);
    read_orders(&mut books, &of_shop("orders")?)?;
    let payments = of_shop("payments")?;
    books.payments = payments.pairs(["order_id", "status"], "FROM payments")?.into_iter().collect();
    books.offers = payments.rows(&["order_id"], "FROM offers")?.iter().map(|row| text(row, 0)).collect();
    let inventory = of_shop("inventory")?;
    books.reservations = inventory.pairs(["order_id", "state"], "FROM reservations")?.into_iter().collect();
    for row in inventory.rows(&["product_id", "available", "reserved", "sold"], "FROM stock")? {
        let stock = Stock { available: number(&row, 1), reserved: number(&row, 2), sold: number(&row, 3) };
        books.stock.insert(text(&row, 0), stock);
    }
    for (order, kind) in of_shop("notifications")?.pairs(["order_id", "kind"], "FROM notifications")? {
        books.notifications.entry(order).or_default().push(kind);
    }
    let ledger = Database::of(provider, None, PROVIDER.0, PROVIDER.1)?;
    let status = "CASE WHEN voided THEN 'voided' ELSE status END";
    for row in ledger.rows(&["order_id", status, "amount_cents"], "FROM charges")? {
        let charge = Charge { status: text(&row, 1), amount_cents: number(&row, 2) };
        books.charges.entry(text(&row, 0)).or_default().push(charge);
    }
    read_lists(&mut books, of_shop)?;
    books.overtaken = server.map(overtaken).transpose()?;
    Ok(books)
}

/// The read model of the orders, as texts to compare.
pub(crate) fn read_model(shop: &App, server: Option<&PostgresServer>) -> anyhow::Result<Vec<(String, String)>> {
    let all = ["order_id", "user_id || ' ' || status || ' ' || state"];
    Database::of(shop, server, SHOP, "orders")?.pairs(all, "FROM order_view ORDER BY order_id")
}

fn read_orders(books: &mut Books, orders: &Database<'_>) -> anyhow::Result<()> {
    for (id, state) in orders.pairs(["order_id", "state"], "FROM order_view")? {
        let state: Value = serde_json::from_str(&state).with_context(|| format!("order {id}"))?;
        let lines = state["items"].as_array().into_iter().flatten();
        let line = |line: &Value| {
            (line["productId"].as_str().unwrap_or_default().to_owned(), line["quantity"].as_i64().unwrap_or_default())
        };
        let order = Order {
            status: state["status"].as_str().unwrap_or_default().to_owned(),
            total_cents: state["totalCents"].as_i64().with_context(|| format!("order {id} has no total"))?,
            lines: lines.map(line).collect(),
        };
        books.orders.insert(id, order);
    }
    books.placements = orders.pairs(["idempotency_key", "order_id"], "FROM placements")?.into_iter().collect();
    Ok(())
}

fn read_lists<'a>(books: &mut Books, of_shop: impl Fn(&'a str) -> anyhow::Result<Database<'a>>) -> anyhow::Result<()> {
    let [clerk, first, second] = LISTS;
    let ids = |component, rest: &str| -> anyhow::Result<Vec<String>> {
        Ok(of_shop(component)?.rows(&["id"], rest)?.iter().map(|row| text(row, 0)).collect())
    };
    books.written = ids(clerk, "FROM written")?;
    books.heard = [ids(first, "FROM heard ORDER BY n")?, ids(second, "FROM heard ORDER BY n")?];
    Ok(())
}

/// Of units that ran at the same time either may be first; one that saw what another had committed comes after it.
fn overtaken(server: &PostgresServer) -> anyhow::Result<Vec<(String, String)>> {
    let [_, first, second] = LISTS;
    let told = server.sql(
        DATABASE,
        &format!(
            "WITH placed AS MATERIALIZED (SELECT f.id, f.unit, f.seen, s.n \
                 FROM \"{SHOP}/{first}\".heard f JOIN \"{SHOP}/{second}\".heard s ON s.id = f.id), \
             pairs AS (SELECT a.id AS earlier, b.id AS later FROM placed a JOIN placed b \
                 ON a.n > b.n AND a.id <> b.id AND pg_visible_in_snapshot(a.unit, b.seen) LIMIT {OVERTAKEN_MAX}) \
             SELECT coalesce(json_agg(json_build_array(earlier, later)), '[]') FROM pairs"
        ),
    );
    serde_json::from_str(&told).with_context(|| told.clone())
}

/// What the host keeps for every component: outbox and dead letters; and whether the file is whole.
fn read_hosts_own(books: &mut Books, of: &App, server: Option<&PostgresServer>, app: &str) -> anyhow::Result<()> {
    for name in Database::components(of, server, app)? {
        let database = Database::of(of, server, app, &name)?;
        let counts = database.rows(&["count(*)"], "FROM hull_outbox")?;
        books.outboxes.insert(name.clone(), counts.first().map_or(0, |row| number(row, 0) as u64));
        let letters = database.pairs(["subject", "reason"], "FROM hull_dead_letters")?;
        books.dead_letters.extend(letters.iter().map(|(subject, reason)| format!("{name} {subject}: {reason}")));
        books.damaged.extend(database.damage()?.map(|told| format!("{name}: {told}")));
    }
    Ok(())
}
