//! Scenarios: a folder with a manifest, requests and what is expected of them. A new folder is a new test; README.md
//! beside them says what the files mean.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::app::{App, Ended};
use crate::exchange::Exchange;
use crate::http::Answer;
use crate::subset;

/// One folder.
#[derive(Debug)]
pub struct Scenario {
    folder: PathBuf,
}

/// One request and its expectation.
#[derive(Debug)]
struct Step {
    name: String,
    bytes: Vec<u8>,
    expected: String,
}

/// All folders that hold a manifest, in order.
pub fn all(folder: &Path) -> anyhow::Result<Vec<Scenario>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let folder = entry?.path();
        if folder.join("spin.toml").is_file() {
            found.push(Scenario { folder });
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(found)
}

impl Scenario {
    /// Its folder's name.
    pub fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Run it: what is refused first, then all requests against one host.
    pub fn run(&self) -> anyhow::Result<()> {
        let app = self.app()?;
        let mut ran = false;
        if let Some(expected) = self.text("check") {
            refused(&expected, &app.check()?).context("hull check")?;
            ran = true;
        }
        if let Some(expected) = self.text("up") {
            refused(&expected, &app.up_ends()?).context("hull up")?;
            ran = true;
        }
        let steps = self.steps()?;
        anyhow::ensure!(ran || !steps.is_empty(), "there is nothing to do here");
        if steps.is_empty() {
            return Ok(());
        }
        let host = app.up()?;
        for step in &steps {
            step.take(host.client().address()).with_context(|| format!("{}\n{}", step.name, host.said()))?;
        }
        host.stop().map(drop)
    }

    fn app(&self) -> anyhow::Result<App> {
        let mut app = App::of_file(&self.folder.join("spin.toml"))?;
        for line in self.text("environment").unwrap_or_default().lines() {
            let (name, value) = line.split_once('=').with_context(|| format!("{line:?} is no variable"))?;
            app = app.variable(name, value);
        }
        Ok(app.flags(self.text("flags").unwrap_or_default().split_whitespace()))
    }

    fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(name)).ok()
    }

    fn steps(&self) -> anyhow::Result<Vec<Step>> {
        let mut steps = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = match name.rsplit('.').next() {
                Some("request") => well_formed(&std::fs::read_to_string(&path)?),
                Some("bytes") => unescaped(&std::fs::read_to_string(&path)?)?,
                _ => continue,
            };
            let stem = name.strip_suffix("request").or_else(|| name.strip_suffix("bytes")).unwrap_or_default();
            let expected = self.text(&format!("{stem}expected"));
            let expected = expected.with_context(|| format!("there is no {stem}expected"))?;
            steps.push(Step { name, bytes, expected });
        }
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(steps)
    }
}

impl Step {
    fn take(&self, address: std::net::SocketAddr) -> anyhow::Result<()> {
        let mut exchange = Exchange::open(address)?;
        // A host that has seen enough may answer and close before it has read everything.
        let sent = exchange.send(&self.bytes);
        let head = exchange.head().with_context(|| format!("{sent:?}"))?;
        let body = if self.bytes.starts_with(b"HEAD ") { Vec::new() } else { exchange.body(&head)? };
        compare(&self.expected, &Answer { head, body })
    }
}

fn compare(expected: &str, answer: &Answer) -> anyhow::Result<()> {
    let (head, body) = expected.split_once("\n\n").unwrap_or((expected.trim_end(), ""));
    let mut lines = head.lines();
    let status: u16 = lines.next().unwrap_or_default().trim().parse().context("the first line is no status")?;
    anyhow::ensure!(answer.status() == status, "{} and not {status}: {}", answer.status(), answer.text());
    for line in lines {
        if let Some(absent) = line.strip_prefix('-') {
            anyhow::ensure!(answer.header(absent).is_none(), "there is a header {absent}: {:?}", answer.header(absent));
            continue;
        }
        let (name, value) = line.split_once(':').with_context(|| format!("{line:?} is no header"))?;
        let found = answer.header(name).with_context(|| format!("no header {name} in {:?}", answer.head.headers))?;
        let value = value.trim();
        anyhow::ensure!(value == subset::ANY || found == value, "{name} is {found:?} and not {value:?}");
    }
    compare_body(body.trim_end(), answer)
}

fn compare_body(expected: &str, answer: &Answer) -> anyhow::Result<()> {
    if expected.is_empty() {
        return Ok(());
    }
    if let Ok(value) = serde_json::from_str::<Value>(expected) {
        let difference = subset::difference(&value, &answer.json()?);
        return difference.map_or(Ok(()), |told| Err(anyhow::anyhow!("{told}; the whole: {}", answer.text())));
    }
    let text = answer.text();
    match expected.strip_prefix("~ ") {
        Some(part) => anyhow::ensure!(text.contains(part), "no {part:?} in {text:?}"),
        None => anyhow::ensure!(text.trim_end() == expected, "{text:?} and not {expected:?}"),
    }
    Ok(())
}

/// The first line is the exit status, each other one a part of what is said.
fn refused(expected: &str, ended: &Ended) -> anyhow::Result<()> {
    let mut lines = expected.lines();
    let status: i32 = lines.next().and_then(|line| line.strip_prefix("exit ")).context("no exit status")?.parse()?;
    let said = ended.said();
    anyhow::ensure!(ended.status == Some(status), "exit {:?} and not {status}:\n{said}", ended.status);
    for line in lines.filter(|line| !line.is_empty()) {
        anyhow::ensure!(said.contains(line), "nothing was said of {line:?}:\n{said}");
    }
    Ok(())
}

/// Lines end in CR LF, and a body has its length.
fn well_formed(text: &str) -> Vec<u8> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let body = body.strip_suffix('\n').unwrap_or(body);
    let has = |name: &str| head.lines().any(|line| line.to_ascii_lowercase().starts_with(name));
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    if !has("connection:") {
        lines.push("connection: close".to_owned());
    }
    if !body.is_empty() && !has("content-length:") && !has("transfer-encoding:") {
        lines.push(format!("content-length: {}", body.len()));
    }
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

/// Only what is escaped is sent besides visible characters and spaces: `\r`, `\n`, `\\`, `\xNN`, and `\*N<text>` for
/// N times the text.
fn unescaped(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
        match next {
            '\n' => {}
            '\\' => rest = escape(rest, &mut bytes)?,
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes)
}

fn escape<'t>(text: &'t str, bytes: &mut Vec<u8>) -> anyhow::Result<&'t str> {
    let after = |count: usize| text.get(count..).context("an escape is cut off");
    match text.chars().next().context("an escape is cut off")? {
        'r' => bytes.push(b'\r'),
        'n' => bytes.push(b'\n'),
        '\\' => bytes.push(b'\\'),
        'x' => {
            bytes.push(u8::from_str_radix(text.get(1..3).context("\\x needs two digits")?, 16)?);
            return after(3);
        }
        '*' => {
            let (count, more) = after(1)?.split_once('<').context("\\*N<text> needs its text")?;
            let (part, more) = more.split_once('>').context("\\*N<text> has no end")?;
            bytes.extend(unescaped(part)?.repeat(count.parse()?));
            return Ok(more);
        }
        other => anyhow::bail!("\\{other} is no escape"),
    }
    after(1)
}

#[cfg(test)]
mod tests {
    use super::{unescaped, well_formed};

    #[test]
    fn requests_get_what_makes_them_well_formed() {
        let text = String::from_utf8(well_formed("POST /a HTTP/1.1\nHost: x\n\n{}\n")).expect("text");
        assert_eq!(text, "POST /a HTTP/1.1\r\nHost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}");
        let text = String::from_utf8(well_formed("GET / HTTP/1.1\nHost: x\n")).expect("text");
        assert_eq!(text, "GET / HTTP/1.1\r\nHost: x\r\nconnection: close\r\n\r\n");
    }

    #[test]
    fn bytes_are_what_is_written() {
        assert_eq!(unescaped("a\\r\\n\n\\x00\\\\\\*3<ab\\x2e>c").expect("bytes"), b"a\r\n\0\\ab.ab.ab.c");
        assert!(unescaped("\\q").is_err());
        assert!(unescaped("\\x1").is_err());
    }
}
