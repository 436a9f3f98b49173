//! The app: the shop with its provider in a process of its own, and beside it three components that keep nothing but
//! lists. The shop's own services are written so that a fact said twice happens once; those lists are not, so that
//! they show what the host alone promises.

use hull_tests::app::App;
use hull_tests::http::Client;
use hull_tests::probe;
use hull_tests::shop;
use hull_tests::shop::customer;
use hull_tests::shop::provider_line::ProviderLine;

use crate::plan::Plan;

/// The name of the shop's app.
pub(crate) const SHOP: &str = "shop";
/// The name of the provider's app, and its component.
pub(crate) const PROVIDER: (&str, &str) = ("provider", "psp");
/// Who writes what clerks say, who hears of it first, and who hears of it from that one.
pub(crate) const LISTS: [&str; 3] = ["clerk", "first", "second"];

/// Each list takes the same line as often as it is told; only what clerks write has a key. Where units run side by
/// side a line also says which unit wrote it, and which ones that unit could see.
const LIST_TABLES: [(&str, &str); 2] = [
    (
        "lists/1_lists.sqlite.sql",
        "CREATE TABLE written (id TEXT PRIMARY KEY);
         CREATE TABLE heard (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, text TEXT NOT NULL);",
    ),
    (
        "lists/1_lists.postgres.sql",
        "CREATE TABLE written (id TEXT PRIMARY KEY);
         CREATE TABLE heard (n BIGSERIAL PRIMARY KEY, id TEXT NOT NULL, text TEXT NOT NULL,
             unit xid8 NOT NULL DEFAULT pg_current_xact_id(),
             seen pg_snapshot NOT NULL DEFAULT pg_current_snapshot());",
    ),
];
/// How long a host holds an event without a sign of life, where another one waits for it.
const SHARED_ACK_WAIT: (&str, &str) = ("ack-wait = \"30s\"", "ack-wait = \"3s\"");
const LIST_RETRIES: &str = "max-deliver = 1000\nbackoff = [\"50ms\", \"200ms\", \"500ms\"]\nack-wait = \"1s\"";

/// How much there is of each product when the shop opens: of most enough, of some too little, of one nothing.
const SHELVES: [i64; 8] = [1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 60, 25, 0];
const PRICE_CENTS: i64 = 1_250;

/// A product and how much of it was put in.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    pub(crate) product: String,
    pub(crate) put_in: i64,
}

/// The shop, to be led to its provider by that line.
pub(crate) fn shop(plan: &Plan, line: &ProviderLine) -> anyhow::Result<App> {
    let (payment_time_s, settle_after_s) = plan.patience_seconds();
    let [url, grant] = line.changes();
    let changes = [
        ("payment_time_s = \"900\"", &*format!("payment_time_s = \"{payment_time_s}\"")),
        ("settle_after_s = \"60\"", &format!("settle_after_s = \"{settle_after_s}\"")),
        (url.0, &url.1),
        (grant.0, &grant.1),
        // As often, but not as late: a run has an end.
        ("[\"100ms\", \"500ms\", \"2s\", \"10s\", \"1m\"]", "[\"100ms\", \"500ms\", \"2s\"]"),
    ];
    let app = shop::extended(&changes, &lists())?;
    if plan.pair.hosts() > 1 {
        let (from, to) = SHARED_ACK_WAIT;
        let text = std::fs::read_to_string(app.manifest())?;
        anyhow::ensure!(text.contains(from), "the shop waits otherwise");
        app.set_text(&text.replace(from, to))?;
    }
    for (name, text) in LIST_TABLES {
        app.write(name, text)?;
    }
    Ok(app)
}

fn lists() -> String {
    let [clerk, first, second] = LISTS;
    let one = |name: &str, hears: Option<(&str, bool)>, publishes: &str| {
        let trigger = hears.map_or_else(String::new, |(subject, ordered)| {
            let when = format!("subjects = [\"{subject}\"]\nordered = {ordered}\n{LIST_RETRIES}");
            format!("[[trigger.messaging]]\ncomponent = \"{name}\"\n{when}\n")
        });
        let hull = format!("migrations = \"lists\"\npublishes = [{publishes}]");
        format!("\n{trigger}{}", probe::component(name, "sqlite_databases = [\"default\"]", &hull))
    };
    [
        one(clerk, None, "\"lists.first\""),
        one(first, Some(("lists.first", false)), "\"lists.second\""),
        one(second, Some(("lists.second", true)), ""),
    ]
    .concat()
}

/// The provider, an app of its own.
pub(crate) fn provider() -> anyhow::Result<App> {
    let (app, component) = PROVIDER;
    shop::with_components(&format!(
        "spin_manifest_version = 2\n[application]\nname = \"{app}\"\nversion = \"1.0.0\"\n\
         [[trigger.http]]\nroute = \"/psp/...\"\ncomponent = \"{component}\"\n\
         [component.{component}]\nsource = \"components/target/wasm32-wasip2/release/{component}.wasm\"\nsqlite_databases = [\"default\"]\n\
         [component.{component}.tool.hull]\nmigrations = \"components/{component}/migrations\"\nlimits = {{ concurrency = 128 }}\n"
    ))
}

/// Put the products on their shelves.
pub(crate) fn open(client: &Client) -> anyhow::Result<Vec<Shelf>> {
    let shelf = |put_in: &i64| Ok(Shelf { product: customer::product(client, PRICE_CENTS, *put_in)?, put_in: *put_in });
    SHELVES.iter().map(shelf).collect()
}
