//! The access log: a line per request with what finds it again, or nothing.

use std::io::{self, Write};
use std::sync::Arc;

use hull_gateway::AccessLog;
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

use crate::fake::Running;
use crate::wire::Wire;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn lines_of(access_log: AccessLog, path: &str) -> Vec<serde_json::Value> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(lines.clone()).finish();
    // The runtime of the test runs everything on this thread.
    let _default = tracing::subscriber::set_default(subscriber);
    let mut running = Running::start(|config| config.access_log = access_log);
    let mut wire = Wire::to(running.address).await;
    wire.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-request-id: r-5\r\nconnection: close\r\n\r\n")).await;
    assert_eq!(wire.answer().await.status, 200);
    running.tell_to_stop();
    running.ended().await;
    let text = lines.0.lock().clone();
    let parsed = text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    parsed.filter(|line: &serde_json::Value| line["target"] == "hull::access").collect()
}

#[tokio::test]
async fn every_request_leaves_a_line() {
    let lines = lines_of(AccessLog::Info, "/hello?secret=1").await;
    let [line] = &lines[..] else { panic!("{lines:?}") };
    for (field, value) in [
        ("level", "INFO"),
        ("method", "GET"),
        ("path", "/hello"),
        ("app", "shop"),
        ("component", "fake"),
        ("request_id", "r-5"),
        ("correlation_id", "r-5"),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
    assert_eq!((&line["status"], &line["body_bytes"], &line["complete"]), (&200.into(), &5.into(), &true.into()));
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32));
    assert!(line["duration_us"].is_u64() && !line.to_string().contains("secret"));
}

#[tokio::test]
async fn or_none_if_nobody_wants_it() {
    assert!(lines_of(AccessLog::Debug, "/hello").await.is_empty());
    assert!(lines_of(AccessLog::Off, "/hello").await.is_empty());
}

#[tokio::test]
async fn an_answer_is_complete_with_the_last_byte_that_it_told_of() {
    let lines = lines_of(AccessLog::Info, "/told").await;
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&line["body_bytes"], &line["complete"]), (&6.into(), &true.into()), "its guest goes on");
}
