//! A component with an import that no host of ours has: it must be refused by name before it serves anything.

use hull_sdk::wasip2;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

mod bindings {
    #![allow(missing_docs, clippy::pedantic)]
    wit_bindgen::generate!({
        inline: "
            package acme:ledger@1.0.0;
            interface book { post: func(cents: s64) -> u64; }
            world bookkeeper { import book; }
        ",
    });
}

struct Ungranted;

impl wasip2::exports::http::incoming_handler::Guest for Ungranted {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        bindings::acme::ledger::book::post(1);
        drop(out);
    }
}

wasip2::http::proxy::export!(Ungranted);
