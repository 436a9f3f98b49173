//! What `files` copies, and what it never does.

use std::collections::BTreeSet;
use std::path::Path;

use hull_manifest::{App, Reading};

use super::{FilePlaces, chosen_files, copy_files};

/// A project with what lies in one: a state directory under two names, version control, secrets, a site.
fn project() -> tempfile::TempDir {
    let outer = tempfile::tempdir().expect("a folder");
    let write = |path: &str| {
        let path = outer.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, "text").expect("written");
    };
    write("above.txt");
    for path in [
        "app/state/admin-token",
        "app/state/apps/shop/web/data.db",
        "app/.hull/admin-token",
        "app/.git/config",
        "app/.env",
        "app/site/index.html",
        "app/site/draft.html",
        "app/site/.well-known/security.txt",
        "app/site/css/a.css",
    ] {
        write(path);
    }
    std::os::unix::fs::symlink(outer.path(), outer.path().join("app/site/up")).expect("linked");
    std::os::unix::fs::symlink(outer.path(), outer.path().join("app/up")).expect("linked");
    std::os::unix::fs::symlink(outer.path().join("app/state"), outer.path().join("app/data")).expect("linked");
    outer
}

fn copied(files: &str) -> Result<BTreeSet<String>, String> {
    let outer = project();
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\nversion = \"1\"\n\
         [[trigger.http]]\nroute = \"/\"\ncomponent = \"web\"\n\
         [component.web]\nsource = \"web.wasm\"\n{files}\n"
    );
    let app = App::parse(&text, &Reading::alone("spin.toml")).map_err(|problems| problems.to_string())?;
    let base = outer.path().join("app");
    let target = base.join("state/apps/shop/web/files");
    let places = FilePlaces { base: &base, state_dir: Some(&base.join("state")), target: &target };
    let component = app.component("web").expect("the component");
    let chosen = chosen_files(component, &base, Some(&base.join("state")));
    copy_files(component, &places).map_err(|problem| problem.message)?;
    let mut found = BTreeSet::new();
    list(&target, &target, &mut found);
    assert_eq!(chosen.map(|chosen| chosen.len()), Ok(found.len()), "what is sent is what is copied");
    Ok(found)
}

fn list(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            list(&path, root, found);
        } else {
            found.insert(path.strip_prefix(root).expect("below").display().to_string());
        }
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_glob_over_everything_leaves_out_state_and_hidden_files() {
    assert_eq!(copied(r#"files = ["**/*"]"#), Ok(set(&["site/css/a.css", "site/draft.html", "site/index.html"])));
    assert_eq!(
        copied("files = [{ source = \".\", destination = \"/www\" }]\nexclude_files = [\"**/draft.html\"]"),
        Ok(set(&["www/site/css/a.css", "www/site/index.html"]))
    );
}

#[test]
fn hidden_names_are_copied_where_they_are_written_out() {
    assert_eq!(copied(r#"files = ["site/.well-known/*"]"#), Ok(set(&["site/.well-known/security.txt"])));
    assert_eq!(copied(r#"files = ["**/.well-known/*"]"#), Ok(set(&["site/.well-known/security.txt"])));
}

#[test]
fn neither_the_state_directory_nor_what_lies_above_can_be_named() {
    for (files, why) in [
        (r#"files = ["state/**/*"]"#, "state directory"),
        (r#"files = ["state/admin-token"]"#, "state directory"),
        (r#"files = [{ source = "state/apps", destination = "/" }]"#, "state directory"),
        (r#"files = ["data/*"]"#, "state directory"),
        (r#"files = ["../above.txt"]"#, "leads out"),
        (r#"files = ["up/above.txt"]"#, "outside"),
        (r#"files = ["site/up/*"]"#, "outside"),
        (r#"files = [{ source = "up", destination = "/" }]"#, "outside"),
    ] {
        let refused = copied(files);
        assert!(refused.as_ref().is_err_and(|message| message.contains(why)), "{files}: {refused:?}");
    }
}
