//! What the databases of the shop and of its provider hold once both have stopped: read from copies, so that looking
//! changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use hull_tests::app::App;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;
use tempfile::TempDir;

use crate::market::{LISTS, PROVIDER, SHOP};

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
    /// By component.
    pub(crate) outboxes: BTreeMap<String, u64>,
    /// In words.
    pub(crate) dead_letters: Vec<String>,
    pub(crate) damaged: Vec<String>,
}

/// Read everything.
pub(crate) fn read(shop: &App, provider: &App) -> anyhow::Result<Books> {
    let mut books = Books::default();
    read_hosts_own(&mut books, shop, SHOP)?;
    read_hosts_own(&mut books, provider, PROVIDER.0)?;
    read_orders(&mut books, &Copied::of(shop, SHOP, "orders")?)?;
    read_payments(&mut books, &Copied::of(shop, SHOP, "payments")?)?;
    let inventory = Copied::of(shop, SHOP, "inventory")?;
    books.reservations = inventory.pairs("SELECT order_id, state FROM reservations")?.into_iter().collect();
    books.stock = inventory
        .rows("SELECT product_id, available, reserved, sold FROM stock", |row| {
            Ok((row.get(0)?, Stock { available: row.get(1)?, reserved: row.get(2)?, sold: row.get(3)? }))
        })?
        .into_iter()
        .collect();
    let notifications = Copied::of(shop, SHOP, "notifications")?;
    for (order, kind) in notifications.pairs("SELECT order_id, kind FROM notifications")? {
        books.notifications.entry(order).or_default().push(kind);
    }
    let sql = "SELECT order_id, CASE WHEN voided THEN 'voided' ELSE status END, amount_cents FROM charges";
    let provider = Copied::of(provider, PROVIDER.0, PROVIDER.1)?;
    let read =
        |row: &Row<'_>| Ok((row.get::<_, String>(0)?, Charge { status: row.get(1)?, amount_cents: row.get(2)? }));
    for (order, charge) in provider.rows(sql, read)? {
        books.charges.entry(order).or_default().push(charge);
    }
    read_lists(&mut books, shop)?;
    Ok(books)
}

/// The read model of the orders, as texts to compare.
pub(crate) fn read_model(shop: &App) -> anyhow::Result<Vec<(String, String)>> {
    let orders = Copied::of(shop, SHOP, "orders")?;
    orders.pairs("SELECT order_id, user_id || ' ' || status || ' ' || state FROM order_view ORDER BY order_id")
}

fn read_orders(books: &mut Books, orders: &Copied) -> anyhow::Result<()> {
    for (id, state) in orders.pairs("SELECT order_id, state FROM order_view")? {
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
    books.placements = orders.pairs("SELECT idempotency_key, order_id FROM placements")?.into_iter().collect();
    Ok(())
}

fn read_payments(books: &mut Books, payments: &Copied) -> anyhow::Result<()> {
    books.payments = payments.pairs("SELECT order_id, status FROM payments")?.into_iter().collect();
    books.offers = payments.rows("SELECT order_id FROM offers", |row| row.get(0))?;
    Ok(())
}

fn read_lists(books: &mut Books, shop: &App) -> anyhow::Result<()> {
    let [clerk, first, second] = LISTS;
    books.written = Copied::of(shop, SHOP, clerk)?.rows("SELECT id FROM written", |row| row.get(0))?;
    for (heard, component) in books.heard.iter_mut().zip([first, second]) {
        *heard = Copied::of(shop, SHOP, component)?.rows("SELECT id FROM heard ORDER BY n", |row| row.get(0))?;
    }
    Ok(())
}

/// What the host keeps in every component's database: outbox and dead letters; and whether the file is whole.
fn read_hosts_own(books: &mut Books, of: &App, app: &str) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(of.state_dir().join("apps").join(app))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !of.database(app, &name).exists() {
            continue;
        }
        let copied = Copied::of(of, app, &name)?;
        let counts = copied.rows("SELECT count(*) FROM hull_outbox", |row| row.get::<_, i64>(0))?;
        books.outboxes.insert(name.clone(), counts.first().map_or(0, |count| *count as u64));
        let letters = copied.pairs("SELECT subject, reason FROM hull_dead_letters")?;
        books.dead_letters.extend(letters.iter().map(|(subject, reason)| format!("{name} {subject}: {reason}")));
        let checked = copied.rows("PRAGMA integrity_check", |row| row.get::<_, String>(0))?;
        if checked != ["ok"] {
            books.damaged.push(format!("{name}: {}", checked.join("; ")));
        }
    }
    Ok(())
}

/// A copy of a component's database, open.
struct Copied {
    connection: Connection,
    _folder: TempDir,
}

impl Copied {
    fn of(of: &App, app: &str, component: &str) -> anyhow::Result<Self> {
        let (folder, file) = (TempDir::with_prefix("hull-chaos-")?, of.database(app, component));
        for ending in ["", "-wal"] {
            let from = file.with_file_name(format!("data.db{ending}"));
            if from.exists() {
                std::fs::copy(&from, folder.path().join(format!("data.db{ending}")))
                    .with_context(|| from.display().to_string())?;
            }
        }
        let connection = open(&folder.path().join("data.db")).with_context(|| file.display().to_string())?;
        Ok(Self { connection, _folder: folder })
    }

    fn rows<T>(&self, sql: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> anyhow::Result<Vec<T>> {
        let mut statement = self.connection.prepare(sql).with_context(|| sql.to_owned())?;
        let rows: rusqlite::Result<Vec<T>> = statement.query_map([], read)?.collect();
        rows.with_context(|| sql.to_owned())
    }

    fn pairs(&self, sql: &str) -> anyhow::Result<Vec<(String, String)>> {
        self.rows(sql, |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    // The copy's log has to be read in, which writes; the original is not touched.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}
