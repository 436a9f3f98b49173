//! The route table against examples, and against a matcher too simple to be wrong.

use super::{Route, RouteTable, Segment};

fn route(raw: &str) -> Route {
    raw.parse().expect("a route")
}

fn table(routes: &[&str]) -> RouteTable<String> {
    let routes = routes.iter().map(|raw| (route(raw), (*raw).to_owned()));
    RouteTable::new(routes).expect("no duplicates")
}

#[test]
fn the_most_specific_route_wins() {
    let table = table(&[
        "/...",
        "/",
        "/api/...",
        "/api/orders",
        "/api/orders/:id",
        "/api/orders/:id/items/:item",
        "/api/orders/_rebuild",
        "/api/orders/:id/...",
        "/api/caf%C3%A9",
        "/:tenant/status",
    ]);
    for (path, expected) in [
        ("/", "/"),
        ("/x", "/..."),
        ("/x/y/z", "/..."),
        ("/api", "/api/..."),
        ("/api/", "/api/..."),
        ("/api/x", "/api/..."),
        ("/api/orders", "/api/orders"),
        ("/api/orders/", "/api/orders"),
        ("/api/%6Frders", "/api/orders"),
        ("/api/orders/7", "/api/orders/:id"),
        ("/api/orders/7/", "/api/orders/:id"),
        ("/api/orders/_rebuild", "/api/orders/_rebuild"),
        ("/api/orders/_rebuild/x", "/api/orders/:id/..."),
        ("/api/orders/7/items/9", "/api/orders/:id/items/:item"),
        ("/api/orders/7/items", "/api/orders/:id/..."),
        ("/api/café", "/api/caf%C3%A9"),
        ("/acme/status", "/:tenant/status"),
        ("/api/status", "/api/..."),
    ] {
        let found = table.find(path).map(|found| found.target().as_str());
        assert_eq!(found, Some(expected), "{path}");
    }
}

#[test]
fn nothing_matches_where_there_is_nothing() {
    let table = table(&["/a/b", "/a/:x/c", "/d/:y/..."]);
    for path in ["/", "/a", "/a/x", "/a/b/c/d", "/d", "/d/"] {
        assert!(table.find(path).is_none(), "{path}");
    }
    assert!(table.find("/a/b/c").is_some(), "a literal that leads nowhere gives way to the parameter");
}

#[test]
fn parameters_and_the_wildcard_keep_their_encoding() {
    let table = table(&["/users/:user/files/:file/..."]);
    let found = table.find("/users/J%C3%BCrgen/files/a/b%20c/d/").expect("a match");
    let params: Vec<_> = found.params().collect();
    assert_eq!(params, [("user", "J%C3%BCrgen"), ("file", "a")]);
    assert_eq!(found.trailing(), "/b%20c/d/");
    assert_eq!(table.find("/users/1/files/a").expect("a match").trailing(), "");
}

#[test]
fn routes_that_match_the_same_paths_are_refused() {
    for (first, second) in [("/a", "/a"), ("/a/:x", "/a/:y"), ("/a/:x/...", "/a/:y/..."), ("/caf%C3%A9", "/caf%c3%a9")]
    {
        let refused = RouteTable::new([(route(first), ()), (route(second), ())]).expect_err("a duplicate");
        assert_eq!((refused.first.as_str(), refused.second.as_str()), (first, second));
    }
    assert!(RouteTable::new([(route("/a"), ()), (route("/a/..."), ())]).is_ok());
}

/// How well a route matches: per segment 3 for a literal, 2 for a parameter, 1 for the wildcard, 4 for ending where
/// the path ends. `None` if it does not match.
fn score(route: &Route, path: &[&str]) -> Option<Vec<u8>> {
    let mut score = Vec::new();
    for (index, segment) in route.segments().iter().enumerate() {
        match (segment, path.get(index)?) {
            (Segment::Literal(text), there) if text == there => score.push(3),
            (Segment::Literal(_), _) => return None,
            (Segment::Param(_), _) => score.push(2),
        }
    }
    match (route.has_wildcard(), path.len() > route.segments().len()) {
        (true, _) => score.push(1),
        (false, true) => return None,
        (false, false) => score.push(4),
    }
    Some(score)
}

#[test]
fn the_table_agrees_with_trying_every_route() {
    let seed = hull_clock::random_u64();
    println!("seed {seed}");
    let mut state = seed | 1;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let mut matched = 0;
    for _ in 0..2_000 {
        let mut routes: Vec<Route> = Vec::new();
        for _ in 0..below(12) {
            let mut raw = String::new();
            for _ in 0..below(5) {
                raw += ["/a", "/b", "/c", "/:p", "/:q"][below(5)];
            }
            raw += ["", "/..."][below(2)];
            // Two parameters of one name are no route.
            let Ok(candidate) = (if raw.is_empty() { "/" } else { &raw }).parse::<Route>() else { continue };
            let taken = RouteTable::new(routes.iter().chain([&candidate]).map(|route| (route.clone(), ())));
            if taken.is_ok() {
                routes.push(candidate);
            }
        }
        let table = RouteTable::new(routes.iter().map(|route| (route.clone(), ()))).expect("no duplicates");
        for _ in 0..20 {
            let path: Vec<&str> = (0..below(6)).map(|_| ["a", "b", "c", "d"][below(4)]).collect();
            let best =
                routes.iter().filter_map(|route| Some((score(route, &path)?, route))).max_by_key(|best| best.0.clone());
            let text = format!("/{}", path.join("/"));
            let found = table.find(&text).map(|found| found.route().clone());
            assert_eq!(found.as_ref(), best.as_ref().map(|best| best.1), "{text} among {routes:?}, seed {seed}");
            matched += usize::from(best.is_some());
        }
    }
    assert!(matched > 1_000, "the test must meet matches: {matched}, seed {seed}");
}
