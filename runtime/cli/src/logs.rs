//! `hull logs`: lines that the host keeps, and with `-f` those that come.

use clap::builder::styling::{AnsiColor, Style};
use http::Method;
use serde::Deserialize;

use crate::admin::{Call, Client};
use crate::ndjson;
use crate::options::LogsOptions;
use crate::terminal::{self, Paint, harmless};

/// The host cuts lines long before they are as long as this.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// One line of a log, as far as people are shown it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    #[serde(alias = "timestamp")]
    time: String,
    level: String,
    component: String,
    request_id: Option<String>,
    context: Option<String>,
    message: String,
}

/// Print lines until there are no more.
pub(crate) async fn run(options: &LogsOptions) -> anyhow::Result<()> {
    let client = Client::find(&options.host)?;
    let app = client.app_path().await?;
    let mut query = vec![("lines", options.lines.to_string())];
    query.extend(options.component.as_ref().map(|name| ("component", name.to_string())));
    query.extend(options.follow.then(|| ("follow", "true".to_owned())));
    let response = client.send_ok(Call::new(Method::GET, format!("{app}/logs")).query(query)).await?;
    let paint = Paint::for_stdout();
    let show = |line: &[u8]| {
        if options.host.json {
            terminal::print_bytes(&[line, b"\n"].concat())?;
        } else {
            terminal::print(&render(line, paint))?;
        }
        Ok(true)
    };
    ndjson::each_line(response.into_body(), RECORD_BYTES_MAX, show).await?;
    if options.follow {
        eprintln!("the host has ended the log");
    }
    Ok(())
}

fn render(line: &[u8], paint: Paint) -> String {
    let Ok(record) = serde_json::from_slice::<Record>(line) else {
        return format!("{}\n", harmless(&String::from_utf8_lossy(line)));
    };
    let dim = Style::new().dimmed();
    let level = paint.paint(style_of(&record.level), &format!("{:5}", harmless(&record.level)));
    let context = record.context.filter(|context| !context.is_empty());
    let context = context.map(|context| format!("{}: ", harmless(&context))).unwrap_or_default();
    let request = record.request_id.map(|id| paint.paint(dim, &format!(" request={}", harmless(&id))));
    format!(
        "{} {level} {} {context}{}{}\n",
        paint.paint(dim, &harmless(&record.time)),
        paint.paint(Style::new().bold(), &harmless(&record.component)),
        harmless(&record.message),
        request.unwrap_or_default()
    )
}

fn style_of(level: &str) -> Style {
    let colour = match level {
        "error" | "critical" => AnsiColor::Red,
        "warn" => AnsiColor::Yellow,
        "info" => AnsiColor::Green,
        _ => return Style::new().dimmed(),
    };
    Style::new().fg_color(Some(colour.into()))
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::terminal::Paint;

    #[test]
    fn records_are_shown_on_one_line() {
        let line = br#"{"time":"T","level":"info","component":"orders","request_id":"r1","message":"a\nb"}"#;
        assert_eq!(render(line, Paint::plain()), "T info  orders a\u{fffd}b request=r1\n");
        assert_eq!(render(b"not json", Paint::plain()), "not json\n");
        let line = br#"{"timestamp":"T","level":"critical","component":"c","context":"db","message":"m"}"#;
        assert_eq!(render(line, Paint::plain()), "T critical c db: m\n");
    }
}
