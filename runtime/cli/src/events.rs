//! `hull events tail`: what the bus holds of a subject, and what comes.

use anyhow::bail;
use clap::builder::styling::Style;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::{Call, Client};
use crate::ndjson;
use crate::options::{EventsCommand, TailOptions};
use crate::terminal::{self, Paint, harmless};

/// An event of the largest size, with its payload twice.
const LINE_BYTES_MAX: usize = 64 << 20;
/// As many are asked for at once.
const PAGE_MAX: u64 = 200;
/// Of a payload so much is shown on a line.
const PAYLOAD_CHARS_MAX: usize = 200;

/// Run one of the commands.
pub(crate) async fn run(command: &EventsCommand) -> anyhow::Result<()> {
    match command {
        EventsCommand::Tail(options) => tail(options).await,
    }
}

/// Some of what is there.
#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Value>,
    next: u64,
    is_last: bool,
}

async fn tail(options: &TailOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let target = format!("{}/events", client.app_path().await?);
    let mut shown = Shown { paint: Paint::for_stdout(), json: options.host.json, left: options.limit };
    let asked = |from: String, more: (&'static str, String)| {
        let query = [("subject", options.subject.to_string()), ("from", from), more];
        Call::new(Method::GET, target.clone()).query(query)
    };
    if !options.no_follow {
        let response = client.send_ok(asked(options.from.clone(), ("follow", "true".to_owned()))).await?;
        let mut enough = false;
        let show = |line: &[u8]| {
            let more = shown.show(&serde_json::from_slice(line)?)?;
            enough = !more;
            Ok(more)
        };
        ndjson::each_line(response.into_body(), LINE_BYTES_MAX, show).await?;
        if !enough {
            eprintln!("the host has ended it");
        }
        return Ok(());
    }
    let mut from = options.from.clone();
    loop {
        let page: Page = client.json(asked(from, ("limit", PAGE_MAX.to_string()))).await?;
        for event in &page.events {
            if !shown.show(event)? {
                return Ok(());
            }
        }
        if page.is_last {
            return Ok(());
        }
        from = page.next.to_string();
    }
}

/// Shows one event after another.
struct Shown {
    paint: Paint,
    json: bool,
    left: Option<u64>,
}

impl Shown {
    /// Show one; whether another is wanted.
    fn show(&mut self, event: &Value) -> anyhow::Result<bool> {
        if let Some(problem) = event.get("problem").and_then(Value::as_str) {
            bail!("the events cannot be read any more: {}", harmless(problem));
        }
        if self.json {
            terminal::print_bytes(format!("{event}\n").as_bytes())?;
        } else {
            terminal::print(&render(event, self.paint))?;
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(self.left != Some(0))
    }
}

/// Number, time, subject, source and id on a line, and the payload's beginning on the next.
fn render(event: &Value, paint: Paint) -> String {
    let text = |key: &str| match event.get(key) {
        Some(Value::String(text)) => harmless(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let payload = match event.get("payload_text").and_then(Value::as_str) {
        Some(payload) => harmless(payload),
        None => format!("(base64) {}", text("payload_base64")),
    };
    let mut short: String = payload.chars().take(PAYLOAD_CHARS_MAX).collect();
    if short.len() < payload.len() {
        short.push('…');
    }
    let dim = Style::new().dimmed();
    format!(
        "{} {} {} {}\n    {short}\n",
        paint.paint(dim, &text("sequence")),
        paint.paint(dim, &text("published_at")),
        paint.paint(Style::new().bold(), &text("subject")),
        paint.paint(dim, &format!("{} {}", text("source"), text("id"))),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Shown, render};
    use crate::terminal::Paint;

    #[test]
    fn an_event_is_two_lines_whatever_is_in_it() {
        let event = json!({
            "sequence": 7, "published_at": "T", "subject": "orders.created", "source": "/shop/orders", "id": "e1",
            "payload_text": format!("a\u{1b}\n{}", "x".repeat(300)), "payload_base64": "",
        });
        let text = render(&event, Paint::plain());
        assert!(text.starts_with("7 T orders.created /shop/orders e1\n    a\u{fffd}\u{fffd}xxx"), "{text}");
        assert!(text.ends_with("x…\n") && text.lines().count() == 2, "{text}");
        let bytes = json!({ "payload_text": null, "payload_base64": "/w==" });
        assert!(render(&bytes, Paint::plain()).ends_with("    (base64) /w==\n"));
    }

    #[test]
    fn it_ends_after_so_many_and_tells_of_a_problem() {
        let mut shown = Shown { paint: Paint::plain(), json: true, left: Some(2) };
        assert!(shown.show(&json!({})).expect("shown"));
        assert!(!shown.show(&json!({})).expect("shown"));
        let told = shown.show(&json!({ "problem": "gone" })).expect_err("a problem");
        assert!(told.to_string().contains("gone"));
    }
}
