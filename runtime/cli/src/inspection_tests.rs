//! Manifests and components that fit each other, and those that do not.

use std::collections::BTreeMap;

use hull_engine::Flavor;
use hull_invocation::ComponentId;
use hull_manifest::{App, Reading};

use super::{Exports, Finding, Severity, inspect_components, judge};

const PLAIN: &str = "";
const HTTP: &str = "wasi:http/incoming-handler@0.2.4";
/// An app needs a trigger; this one is nobody's.
const STATIC_TRIGGER: &str = "[[trigger.http]]\nroute = \"/static\"\nstatic_response = { body = \"\" }";
const EVENTS: &str = "hull:messaging/handler@0.1.0";

fn app(component: &str, tool: &str, trigger: &str) -> App {
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\n{STATIC_TRIGGER}\n{trigger}\n[component.orders]\n\
         source = \"orders.wasm\"\n{component}\n[component.orders.tool.hull]\n{tool}\n"
    );
    App::parse(&text, &Reading::alone("spin.toml")).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

fn http_trigger() -> &'static str {
    "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"orders\""
}

/// What is said of `orders` if it exports and imports this.
fn said(app: &App, exports: &[&str], imports: &[&str]) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let exports = Exports {
        http: None,
        events: exports.contains(&EVENTS),
        names: owned(exports),
        imports: owned(imports),
        flavor: Flavor::Sequential,
    };
    let component = app.component("orders").expect("the component");
    let judged = judge(app, component, &ComponentId::new("shop", "orders"), &exports);
    judged
        .into_iter()
        .map(|(severity, message)| {
            let granting = message.contains("nothing grants");
            assert_eq!(severity, if granting { Severity::Warning } else { Severity::Error }, "{message}");
            message
        })
        .collect()
}

#[test]
fn what_a_trigger_needs_must_be_exported() {
    let messaging = "[[trigger.messaging]]\ncomponent = \"orders\"\nsubjects = [\"a.b\"]";
    assert!(said(&app(PLAIN, PLAIN, http_trigger()), &["run"], &[])[0].contains("wasi:http/incoming-handler@0.2"));
    let told = said(&app(PLAIN, PLAIN, messaging), &[HTTP], &[]);
    assert!(told[0].contains("needs a component that exports hull:messaging"), "{told:?}");
    assert_eq!(said(&app(PLAIN, PLAIN, messaging), &[EVENTS], &[]), Vec::<String>::new());
    assert_eq!(said(&app(PLAIN, PLAIN, PLAIN), &[], &[]), Vec::<String>::new());
    let concurrent = app(PLAIN, "reuse = \"concurrent\"", PLAIN);
    assert!(said(&concurrent, &[HTTP], &[])[0].contains("reuse = \"concurrent\""));
    assert_eq!(said(&concurrent, &["wasi:http/handler@0.3.0"], &[]), Vec::<String>::new());
}

#[test]
fn each_ungranted_import_names_the_line_that_would_grant_it() {
    for (import, line, table) in [
        ("wasi:keyvalue/store@0.2.0-draft2", "key_value_stores = [\"default\"]", "[component.orders]"),
        ("hull:sql/database@0.1.0", "sqlite_databases = [\"default\"]", "[component.orders]"),
        ("hull:transactions/transactions@0.1.0", "sqlite_databases = [\"default\"]", "[component.orders]"),
        ("hull:messaging/producer@0.1.0", "publishes = [\"orders.*\"]", "[component.orders.tool.hull]"),
        (
            "wasi:http/outgoing-handler@0.2.9",
            "allowed_outbound_hosts = [\"http://payments.internal\"]",
            "[component.orders]",
        ),
    ] {
        let found = said(&app(PLAIN, PLAIN, PLAIN), &[], &[import]);
        assert_eq!(found.len(), 1, "{import}: {found:?}");
        assert!(found[0].contains(import) && found[0].contains(line) && found[0].ends_with(table), "{found:?}");
        // The line that is named does grant it.
        let line = line.replace("payments", "orders");
        let mended = if table.contains("tool") { app(PLAIN, &line, PLAIN) } else { app(&line, PLAIN, PLAIN) };
        let found = said(&mended, &[HTTP], &[import]);
        assert!(found.iter().all(|message| !message.contains(import)), "{line}: {found:?}");
    }
}

#[test]
fn what_every_guest_has_needs_no_line() {
    for import in [
        "wasi:http/types@0.2.12",
        "wasi:io/streams@0.2.0",
        "wasi:cli/environment@0.3.0",
        "wasi:sockets/tcp@0.2.3",
        "wasi:config/store@0.2.0-rc.1",
        "wasi:logging/logging@0.1.0-draft",
        "hull:messaging/types@0.1.0",
        "hull:messaging/request-reply@0.1.2",
        "wasi:filesystem/preopens@0.2.6",
    ] {
        assert_eq!(said(&app(PLAIN, PLAIN, PLAIN), &[], &[import]), Vec::<String>::new(), "{import}");
    }
}

#[test]
fn what_nobody_has_is_named() {
    for import in [
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:keyvalue/watch@0.2.0-draft2",
        "fermyon:spin/sqlite@2.0.0",
        "wasi:http/types@0.1.0",
        "wasi:logging/logging",
        "hull:messaging/handler@0.1.0",
        "do-something",
        "",
    ] {
        let found = said(&app(PLAIN, PLAIN, PLAIN), &[], &[import]);
        assert!(found[0].contains(&format!("`{import}`, which Hull does not provide")), "{found:?}");
    }
}

#[test]
fn files_that_are_no_components_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("orders.wasm");
    let app = app(PLAIN, PLAIN, PLAIN);
    let host = hull_manifest::Host::default();
    let inspected = || inspect_components(&app, &host, folder.path(), &BTreeMap::new()).findings;
    let message = |findings: Vec<Finding>| findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
    assert!(message(inspected()).contains("cannot be read"));
    for (bytes, wanted) in [
        (b"\0asm\x01\0\0\0".as_slice(), "core WebAssembly module"),
        (b"#!/bin/sh", "not a WebAssembly component"),
        (b"\0asm\x0d\0\x01\0", ""),
    ] {
        std::fs::write(&file, bytes).expect("written");
        let message = message(inspected());
        assert!(message.contains(wanted) && message.is_empty() == wanted.is_empty(), "{message}");
    }
}
