//! `hull new`. That what it makes can be built and run is seen by the tests of the whole.

use std::fs;

use crate::run::Folder;

#[test]
fn every_template_makes_an_app_whose_only_fault_is_that_it_is_not_built() {
    for template in ["http", "messaging", "full"] {
        let folder = Folder::new();
        let told = folder.hull(&format!("new {template} my-app")).succeeded();
        assert!(told.contains("my-app/src/lib.rs") && told.contains("hull up --build"), "{told}");
        let ended = folder.hull("check -f my-app");
        assert!(ended.stderr.contains("1 problem to mend"), "{}", ended.stderr);
        ended.failed_saying(&["my-app/spin.toml:", "my_app.wasm\" is not there"]);
        let cargo = fs::read_to_string(folder.path().join("my-app/Cargo.toml")).expect("a Cargo.toml");
        assert!(cargo.contains("name = \"my-app\""), "{cargo}");
    }
}

#[test]
fn what_is_there_is_not_touched() {
    let folder = Folder::new().with("mine/notes", "precious");
    folder.hull("new http mine").failed_saying(&["`mine` is there already", "nothing of it was touched"]);
    assert_eq!(fs::read_dir(folder.path().join("mine")).expect("the folder").count(), 1);
    let folder = Folder::new().with("mine", "a file");
    folder.hull("new http mine").failed_saying(&["`mine` is there already"]);
}

#[test]
fn names_that_no_crate_can_have_are_refused() {
    let folder = Folder::new();
    folder.hull("new http wit-bindgen").failed_saying(&["cannot be the name of the crate"]);
    assert_eq!(folder.hull("new http ../elsewhere").status, 2);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[test]
fn json_lists_what_was_made() {
    let json = Folder::new().hull("new full notes --json").json();
    assert_eq!((&json["template"], &json["folder"]), (&"full".into(), &"notes".into()));
    let files = json["files"].as_array().expect("a list");
    assert!(files.contains(&"migrations/1_notes.sql".into()) && files.contains(&".cargo/config.toml".into()), "{json}");
}
