//! Manifests as data: every `valid/*.toml` stands beside its effective configuration, every `invalid/*.toml` beside
//! the exact errors that it gives. A new file is a new test; `HULL_BLESS=1` writes what is expected.
//!
//! Beside `NAME.toml` there may be `NAME.values` (lines of `variable=value`), `NAME.files` (the paths that exist;
//! a slash at the end makes a directory) and `NAME.host.toml` (the host that it is checked against).

#![allow(clippy::expect_used, reason = "a fixture that cannot be read fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hull_manifest::{
    App, FileKind, Files, Host, Problems, Reading, Shown, Values, effective_app, effective_host, effective_toml,
};

const INVALID_MIN: usize = 35;

#[test]
fn valid_apps_have_their_effective_configuration() {
    for fixture in fixtures("valid", "effective.toml") {
        let app = fixture.app(&fixture.text).unwrap_or_else(|problems| panic!("{}\n{problems}", fixture.name()));
        let effective = effective_toml(&app);
        fixture.expect("effective.toml", &effective);
        let again = fixture.app(&effective).unwrap_or_else(|problems| panic!("{effective}\n{problems}"));
        assert_eq!(again, app, "{}: the effective configuration means the same", fixture.name());
        check_json(&effective_app(&app), &effective);
    }
}

#[test]
fn invalid_apps_give_their_errors() {
    let fixtures = fixtures("invalid", "errors");
    assert!(fixtures.len() >= INVALID_MIN, "only {} invalid manifests", fixtures.len());
    for fixture in fixtures {
        let problems = fixture.app(&fixture.text).expect_err(&fixture.name());
        assert!(!problems.problems.is_empty(), "{}: refused without a reason", fixture.name());
        fixture.expect("errors", &format!("{problems}\n"));
    }
}

#[test]
fn valid_hosts_have_their_effective_configuration() {
    for fixture in fixtures("host/valid", "effective.toml") {
        let host = Host::parse(&fixture.text, "hull.toml");
        let host = host.unwrap_or_else(|problems| panic!("{}\n{problems}", fixture.name()));
        let effective = effective_host(&host).to_string();
        fixture.expect("effective.toml", &effective);
        check_json(&effective_host(&host), &effective);
        let again = Host::parse(&effective, "hull.toml").unwrap_or_else(|problems| panic!("{effective}\n{problems}"));
        // Passwords are not shown, so that what is read again is compared as it is shown.
        assert_eq!(effective_host(&again).to_string(), effective, "{}", fixture.name());
    }
}

#[test]
fn invalid_hosts_give_their_errors() {
    for fixture in fixtures("host/invalid", "errors") {
        let problems = Host::parse(&fixture.text, "hull.toml").expect_err(&fixture.name());
        assert!(!problems.problems.is_empty(), "{}: refused without a reason", fixture.name());
        fixture.expect("errors", &format!("{problems}\n"));
    }
}

#[test]
fn an_empty_file_is_the_default_host() {
    assert_eq!(Host::parse("", "hull.toml"), Ok(Host::default()));
}

/// Whatever is cut off or changed, reading ends with an app or with at least one problem that has a place.
#[test]
fn damaged_manifests_are_refused_with_a_place() {
    let text = fs::read_to_string(folder("valid").join("shop.toml")).expect("the shop");
    let lines = text.lines().count();
    for (offset, _) in text.char_indices() {
        let cut = &text[..offset];
        let doubled = format!("{cut}\"{}", &text[offset..]);
        for damaged in [cut, &doubled] {
            let Err(problems) = App::parse(damaged, &Reading::alone("spin.toml")) else { continue };
            assert!(!problems.problems.is_empty(), "{damaged}");
            assert!(problems.problems.iter().all(|problem| (1..=lines + 1).contains(&problem.line)), "{problems}");
            assert!(problems.problems.iter().all(|problem| problem.column >= 1), "{problems}");
        }
    }
}

struct Fixture {
    path: PathBuf,
    text: String,
}

impl Fixture {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }

    fn app(&self, text: &str) -> Result<App, Problems> {
        let values = fs::read_to_string(self.beside("values")).ok().map(|text| pairs(&text));
        let files = fs::read_to_string(self.beside("files")).ok().map(Listed);
        let host = fs::read_to_string(self.beside("host.toml")).ok();
        let host = host.map(|text| Host::parse(&text, "hull.toml").expect("the host of a fixture"));
        let reading = Reading {
            file: "spin.toml",
            values: values.as_ref().map_or(Values::Unknown, Values::Given),
            files: files.as_ref().map(|files| files as &dyn Files),
            host: host.as_ref(),
        };
        App::parse(text, &reading)
    }

    fn expect(&self, extension: &str, actual: &str) {
        let path = self.beside(extension);
        if std::env::var_os("HULL_BLESS").is_some() {
            fs::write(&path, actual).expect("writing what is expected");
        }
        let expected = fs::read_to_string(&path);
        let expected = expected.unwrap_or_else(|error| panic!("{}: {error}; HULL_BLESS=1 writes it", path.display()));
        assert_eq!(actual, expected, "{} (left: is, right: expected)", self.name());
    }
}

struct Listed(String);

impl Files for Listed {
    fn kind(&self, path: &str) -> Option<FileKind> {
        self.0.lines().find_map(|line| match line.strip_suffix('/') {
            Some(directory) => (directory == path).then_some(FileKind::Directory),
            None => (line == path).then_some(FileKind::File),
        })
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// All manifests of a folder. What is expected of a manifest that is not there is an error.
fn fixtures(name: &str, expected: &str) -> Vec<Fixture> {
    let entries = fs::read_dir(folder(name)).expect("a folder of manifests");
    let paths: BTreeSet<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let is_manifest = |path: &Path| {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        file.split_once('.').is_some_and(|(_, end)| end == "toml")
    };
    let manifests: Vec<PathBuf> = paths.iter().filter(|path| is_manifest(path)).cloned().collect();
    assert!(!manifests.is_empty(), "no manifests in {name}");
    for path in paths.iter().filter(|path| !is_manifest(path)) {
        let file = path.display().to_string();
        let ends = [expected, "values", "files", "host.toml"].map(|end| format!(".{end}"));
        let stem = ends.iter().find_map(|end| file.strip_suffix(end.as_str()));
        let owned = stem.is_some_and(|stem| Path::new(&format!("{stem}.toml")).exists());
        assert!(owned, "{file} belongs to no manifest");
    }
    let read = |path: PathBuf| Fixture { text: fs::read_to_string(&path).expect("a manifest"), path };
    manifests.into_iter().map(read).collect()
}

/// JSON says the same as TOML; what is not set is null.
fn check_json(shown: &Shown, toml: &str) {
    let json = without_nulls(serde_json::to_value(shown).expect("JSON"));
    let toml: serde_json::Value = toml::from_str(toml).expect("TOML");
    assert_eq!(json, toml);
}

fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(entries) => {
            let set = entries.into_iter().filter(|(_, value)| !value.is_null());
            serde_json::Value::Object(set.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        serde_json::Value::Array(values) => values.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
