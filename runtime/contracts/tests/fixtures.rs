//! Contracts as data: pairs of schemas, of descriptions of routes and of revisions, each beside the changes that it must
//! give. A new folder or file is a new test.

#![allow(clippy::expect_used, reason = "a fixture that cannot be read fails its test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hull_contracts::{
    Answer, Api, Contract, Direction, Party, Reliance, Schema, check_app, compare_answer, compare_apis,
};
use hull_manifest::SubjectPattern;
use serde_json::Value;

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lines(value: &Value) -> Vec<String> {
    let list = value.as_array().expect("a list");
    list.iter().map(|line| line.as_str().expect("a text").to_owned()).collect()
}

/// One file holds many: `[{name, direction, covering, sent, expected}]`.
#[test]
fn schemas_are_compared() {
    let mut count = 0;
    for path in entries("schemas") {
        for case in json(&path).as_array().expect("a list of cases") {
            let name = format!("{}: {}", path.display(), case["name"]);
            let direction = match case["direction"].as_str() {
                Some("request") => Direction::Request,
                Some("response") => Direction::Response,
                Some("event") => Direction::Event,
                other => panic!("{name}: {other:?} is no direction"),
            };
            let read = |key: &str| Schema::read(&case[key]).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
            let changes = read("covering").missing_of(&read("sent"), direction);
            let found: Vec<String> =
                changes.iter().map(|change| format!("{}: {}", change.field, change.rule)).collect();
            assert_eq!(found, lines(&case["expected"]), "{name}: {changes:#?}");
            // Whatever is compared with itself has not changed.
            for key in ["covering", "sent"] {
                let same = read(key).missing_of(&read(key), direction);
                assert!(same.is_empty(), "{name}: {key} with itself: {same:?}");
            }
            count += 1;
        }
    }
    assert!(count >= 40, "only {count} pairs");
}

/// `NAME/old.json`, `NAME/new.json`, and the lines of `NAME/expected`.
#[test]
fn routes_are_compared() {
    for folder in entries("apis") {
        let read = |file: &str| {
            let path = folder.join(file);
            Api::read(&json(&path)).unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()))
        };
        let (old, new) = (read("old.json"), read("new.json"));
        let found: Vec<String> = compare_apis(&old, &new).iter().map(ToString::to_string).collect();
        let expected: Vec<String> = text(&folder.join("expected")).lines().map(str::to_owned).collect();
        assert_eq!(found, expected, "{}", folder.display());
        assert!(compare_apis(&old, &old).is_empty() && compare_apis(&new, &new).is_empty(), "{}", folder.display());
    }
}

/// `NAME/app.json`: components of `new` and of `running` with what they publish and handle; a contract is an object of its
/// files.
#[test]
fn apps_are_checked() {
    for path in entries("apps") {
        let case = json(&path);
        let (new, running) = (Parties::read(&case["new"], &path), Parties::read(&case["running"], &path));
        let (handled, handled_before) = (new.handled(), running.handled());
        let findings = check_app(&new.parties(&handled), &running.parties(&handled_before));
        let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(found, lines(&case["expected"]), "{}", path.display());
    }
}

struct One {
    name: String,
    contract: Option<Contract>,
    publishes: Vec<SubjectPattern>,
    handles: Vec<SubjectPattern>,
}

struct Parties(Vec<One>);

impl Parties {
    fn read(value: &Value, path: &Path) -> Self {
        let patterns = |value: &Value| -> Vec<SubjectPattern> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| one.as_str().expect("a text").parse().expect("a pattern"))
                .collect()
        };
        let one = |(name, value): (&String, &Value)| {
            let files: Option<BTreeMap<String, String>> = value["contract"]
                .as_object()
                .map(|files| files.iter().map(|(file, content)| (file.clone(), content.to_string())).collect());
            let contract = files.map(|files| {
                let files = files.iter().map(|(file, content)| (file.as_str(), content.as_str()));
                Contract::read(files).unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()))
            });
            let (publishes, handles) = (patterns(&value["publishes"]), patterns(&value["handles"]));
            One { name: name.clone(), contract, publishes, handles }
        };
        Self(value.as_object().into_iter().flatten().map(one).collect())
    }

    fn handled(&self) -> Vec<Vec<&SubjectPattern>> {
        self.0.iter().map(|one| one.handles.iter().collect()).collect()
    }

    fn parties<'a>(&'a self, handled: &'a [Vec<&'a SubjectPattern>]) -> Vec<Party<'a>> {
        let party = |(one, handles): (&'a One, &'a Vec<&'a SubjectPattern>)| Party {
            name: &one.name,
            contract: one.contract.as_ref(),
            publishes: &one.publishes,
            handles,
        };
        self.0.iter().zip(handled).map(party).collect()
    }
}

/// `[{name, interaction, answer, wrong}]`: the lines that do not fit.
#[test]
fn answers_are_compared() {
    for path in entries("answers") {
        for case in json(&path).as_array().expect("a list of cases") {
            let document = serde_json::json!({ "interactions": [case["interaction"]] });
            let reliance = Reliance::read(&document).unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
            let given = &case["answer"];
            let headers = given["headers"].as_object().into_iter().flatten();
            let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
            let answer = Answer {
                status: u16::try_from(given["status"].as_u64().expect("a status")).expect("a status"),
                headers: headers.collect(),
                body: given.get("body").cloned(),
            };
            let compared = compare_answer(&reliance.interactions[0], &answer);
            let wrong = compared.iter().filter(|line| !line.fits);
            let wrong: Vec<String> =
                wrong.map(|line| format!("{}: {} instead of {}", line.field, line.found, line.expected)).collect();
            assert_eq!(wrong, lines(&case["wrong"]), "{}: {compared:#?}", case["name"]);
        }
    }
}
