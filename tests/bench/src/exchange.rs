//! One request on a connection of its own, waited for: for what a bench asks besides its load.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::response;

/// Who answers later than this does not answer.
const TIME_MAX: Duration = Duration::from_secs(5);
/// All metrics of a host with a few components are far below.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// `GET` it; the body of an answer with 200.
pub(crate) fn get(address: SocketAddr, target: &str) -> anyhow::Result<String> {
    exchange(address, "GET", target, "", 200)
}

/// `POST` a JSON body; the body of an answer with 201.
pub(crate) fn create(address: SocketAddr, target: &str, body: &str) -> anyhow::Result<String> {
    exchange(address, "POST", target, body, 201)
}

fn exchange(address: SocketAddr, method: &str, target: &str, body: &str, expected: u16) -> anyhow::Result<String> {
    let what = || format!("{method} http://{address}{target}");
    let mut stream = TcpStream::connect_timeout(&address, TIME_MAX).with_context(what)?;
    stream.set_read_timeout(Some(TIME_MAX))?;
    stream.set_nodelay(true)?;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).with_context(what)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).with_context(what)?;
    let parsed = response::parse(&answer).map_err(|why| anyhow::anyhow!("{}: {}", what(), why.0))?;
    let whole = parsed.with_context(|| format!("{}: half an answer", what()))?;
    let text = String::from_utf8_lossy(&answer);
    if whole.status != expected {
        bail!("{}: {text}", what());
    }
    Ok(text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// The sum of all series of a `/metrics` page that have this name and every one of these labels.
pub(crate) fn metric(page: &str, name: &str, labels: &[&str]) -> f64 {
    let is_meant = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    };
    page.lines().filter(is_meant).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::metric;

    #[test]
    fn series_are_added_up() {
        let page = "# HELP a_total A.\na_total{component=\"x\",status=\"1\"} 2\na_total{component=\"x\"} 3\n\
                    a_total{component=\"y\"} 10\na_total_more{component=\"x\"} 100\n";
        assert!((metric(page, "a_total", &["component=\"x\""]) - 5.0).abs() < f64::EPSILON);
        assert!((metric(page, "a_total", &["component=\"x\"", "status=\"1\""]) - 2.0).abs() < f64::EPSILON);
        assert!(metric(page, "b_total", &[]).abs() < f64::EPSILON);
    }
}
