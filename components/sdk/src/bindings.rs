//! The bindings of Hull's own interfaces, generated from `wit/`, so that host and guests cannot drift apart.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "hull:host/event-service",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "$crate::bindings",
});
