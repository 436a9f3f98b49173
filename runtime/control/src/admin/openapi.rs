//! The description of `/v1`, for programs.

use serde_json::{Map, Value, json};

/// Method, path, what it does.
const OPERATIONS: [(&str, &str, &str); 22] = [
    ("get", "/v1/openapi.json", "This document"),
    ("get", "/v1/apps", "The apps that are deployed, with their components and routes"),
    ("get", "/v1/components", "Every component, with its use of what it may use"),
    ("get", "/v1/tokens", "The tokens that were given to others, without their texts"),
    ("post", "/v1/tokens/{name}", "Make a token; query: role=read|deploy|admin; its text is in this answer only"),
    ("delete", "/v1/tokens/{name}", "Take a token back"),
    ("get", "/v1/audit", "The last entries of the audit log, the newest first; query: limit"),
    ("get", "/v1/audit/verify", "Read the whole audit log and look for edits and gaps"),
    ("post", "/v1/apps/{app}/revisions", "Deploy a revision; the body is described in docs/reference/admin-api.md"),
    ("get", "/v1/apps/{app}/revisions", "The revisions that were committed, the newest first; query: before, limit"),
    ("get", "/v1/apps/{app}/revisions/{revision}", "One revision, or `current`, with the text of its manifest"),
    ("post", "/v1/apps/{app}/rollback", "Commit an old revision's content anew; query: revision, message"),
    ("get", "/v1/apps/{app}/rollout", "The rollout that is under way, with its figures, and how the last one ended"),
    ("post", "/v1/apps/{app}/rollout/{word}", "promote, abort, pause or resume"),
    ("get", "/v1/apps/{app}/logs", "Log lines as NDJSON; query: component, lines, follow=true"),
    ("get", "/v1/apps/{app}/events", "Events of the stream; query: subject, from, limit, follow=true (NDJSON)"),
    ("post", "/v1/apps/{app}/events/{subject}", "Publish the body as an event; headers: ce-id, content-type"),
    ("get", "/v1/apps/{app}/dead-letters", "Dead letters; query: component, subject, reason, after, limit"),
    ("post", "/v1/apps/{app}/components/{component}/invoke", "Call a component; query: method, path, preview"),
    ("get", "/v1/apps/{app}/components/{component}/dead-letters/{id}", "One dead letter with its payload"),
    ("delete", "/v1/apps/{app}/components/{component}/dead-letters/{id}", "Remove a dead letter"),
    ("post", "/v1/apps/{app}/components/{component}/dead-letters/{id}/replay", "Handle a dead letter again"),
];

/// OpenAPI 3.1.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for (method, path, summary) in OPERATIONS {
        let parameters: Vec<Value> = path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        let operation = json!({
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "2XX": { "description": "done" },
                "default": { "description": "a problem", "content": { "application/problem+json": {} } },
            },
        });
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.to_owned(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Hull admin interface", "version": env!("CARGO_PKG_VERSION") },
        "components": { "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
        "security": [{ "token": [] }],
        "paths": paths,
    })
}
