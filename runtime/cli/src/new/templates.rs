//! The files of the templates, as they are laid out in the app that is made.

use crate::options::Template;

/// A path below the new folder, and what the file says; `%NAME%` and `%CRATE%` stand for the app's name.
pub(super) type TemplateFile = (&'static str, &'static str);

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../templates/", $path))
    };
}

/// The one source of all bindings is `wit/` of this repository; an app gets copies of what it uses.
macro_rules! wit {
    ($path:literal) => {
        (concat!("wit/deps/", $path), include_str!(concat!("../../../../wit/deps/", $path)))
    };
}

const EVERY: [TemplateFile; 2] =
    [(".cargo/config.toml", template!("shared/cargo-config.toml")), (".gitignore", template!("shared/gitignore"))];

const HTTP: [TemplateFile; 4] = [
    ("spin.toml", template!("http/spin.toml.template")),
    ("Cargo.toml", template!("http/Cargo.toml.template")),
    ("README.md", template!("http/README.md")),
    ("src/lib.rs", template!("http/src/lib.rs")),
];

const MESSAGING: [TemplateFile; 6] = [
    ("spin.toml", template!("messaging/spin.toml.template")),
    ("Cargo.toml", template!("messaging/Cargo.toml.template")),
    ("README.md", template!("messaging/README.md")),
    ("src/lib.rs", template!("messaging/src/lib.rs")),
    ("wit/world.wit", template!("messaging/wit/world.wit")),
    wit!("hull-messaging/messaging.wit"),
];

const FULL: [TemplateFile; 12] = [
    ("spin.toml", template!("full/spin.toml.template")),
    ("Cargo.toml", template!("full/Cargo.toml.template")),
    ("README.md", template!("full/README.md")),
    ("src/lib.rs", template!("full/src/lib.rs")),
    ("src/notes.rs", template!("full/src/notes.rs")),
    ("src/answer.rs", template!("full/src/answer.rs")),
    ("migrations/1_notes.sql", template!("full/migrations/1_notes.sql")),
    ("wit/world.wit", template!("full/wit/world.wit")),
    wit!("hull-messaging/messaging.wit"),
    wit!("hull-sql/sql.wit"),
    wit!("hull-transactions/transactions.wit"),
    wit!("wasi-keyvalue/keyvalue.wit"),
];

/// All files of a template.
pub(super) fn files_of(template: Template) -> Vec<TemplateFile> {
    let own: &[TemplateFile] = match template {
        Template::Http => &HTTP,
        Template::Messaging => &MESSAGING,
        Template::Full => &FULL,
    };
    own.iter().chain(&EVERY).copied().collect()
}
