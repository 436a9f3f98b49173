//! What customers trust the shop with is where it is needed and nowhere else: not in events, not in dead letters, not in
//! what the host logs, however much that is, and not in the database of a service that has no use for it.

use std::path::{Path, PathBuf};

use hull_tests::events::{dead_letters, letter_path};
use hull_tests::http::Client;
use hull_tests::wait;
use serde_json::{Value, json};

use crate::customer::{ask, end_of, key, order_of, place, product, user};

const CARD: &str = "4000 0012 3456 7899";
const PASSWORD: &str = "correct-horse-battery-staple";
const SESSION: &str = "session-7f3a9c51e2d04b68";
/// Fails at first; with one attempt for each event, that makes a dead letter of it.
const TOKEN: &str = "tok_flaky";
const SECRETS: [&str; 4] = [CARD, PASSWORD, SESSION, TOKEN];

/// The only one that is given tokens.
const KEEPS_TOKENS: &str = "apps/shop/payments";

#[test]
fn no_secret_is_in_events_dead_letters_or_logs() -> anyhow::Result<()> {
    let app = crate::altered(&[("max-deliver = 1000 ", "max-deliver = 1 ")])?.variable("HULL_LOG", "debug");
    let host = app.up()?;
    let client = host.client();
    let (user, lamp) = (user(&client)?, product(&client, 500, 5)?);
    let order = use_all(&client, &user, &lamp)?;
    let letter = wait::until("a dead letter", || Ok(dead_letters(&host, "shop", "payments")?.into_iter().next()))?;
    let letter = letter_path("shop", "payments", &letter)?;
    let shown = host.asked("GET", &letter)?.send()?.expect(200)?.text();
    anyhow::ensure!(shown.contains(&order), "not the letter of the order: {shown}");
    let logs = host.asked("GET", "/v1/apps/shop/logs?lines=1000")?.send()?.expect(200)?.text();
    anyhow::ensure!(logs.contains("payments"), "nothing was logged: {logs}");

    let state_dir = app.state_dir();
    let said = host.stop()?;
    for secret in SECRETS {
        assert!(!said.contains(secret), "the host said {secret}");
        assert!(!logs.contains(secret), "{secret} is in the logs");
        assert!(!shown.contains(secret), "{secret} is in a dead letter");
    }
    let mut tells_of_the_order = false;
    for path in files_below(&state_dir)? {
        let bytes = std::fs::read(&path)?;
        tells_of_the_order |= path.starts_with(state_dir.join("bus")) && holds(&bytes, &order);
        let kept_here = path.starts_with(state_dir.join(KEEPS_TOKENS)) || path.starts_with(state_dir.join("cache"));
        for secret in SECRETS {
            assert!(kept_here || !holds(&bytes, secret), "{secret} is in {}", path.display());
        }
    }
    assert!(tells_of_the_order, "what is searched is not what the bus holds");
    Ok(())
}

/// Use every secret where one may be, and where one may not; the result is an order that fails to be charged.
fn use_all(client: &Client, user: &str, lamp: &str) -> anyhow::Result<String> {
    let with_password = json!({"email": format!("{}@example.com", key()), "name": "Ada", "password": PASSWORD});
    client.post("/api/users", &with_password)?.expect(422)?;
    let cut_short = format!("{{\"userId\": \"{user}\", \"paymentToken\": \"{CARD}\", \"items\": [");
    let broken = client.request("POST", "/api/orders").header("idempotency-key", &key()).body(cut_short);
    broken.header("content-type", "application/json").send()?.expect(400)?;
    let mut misplaced = order_of(user, lamp, 1, CARD);
    misplaced["cardNumber"] = Value::from(CARD);
    ask(client, &key(), &misplaced)?.expect(422)?;
    // Some do send a card number: nobody can charge it.
    let with_card = place(client, &order_of(user, lamp, 1, CARD))?;
    anyhow::ensure!(end_of(client, &with_card)?["status"] == "cancelled");
    let in_session = client.request("POST", "/api/orders").header("idempotency-key", &key());
    let in_session = in_session.header("authorization", &format!("Bearer {SESSION}"));
    let in_session = in_session.header("cookie", &format!("session={SESSION}"));
    let accepted = in_session.json(&order_of(user, lamp, 1, TOKEN)).send()?.expect(202)?.json()?;
    crate::customer::text(&accepted, "orderId")
}

fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
