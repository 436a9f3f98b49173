//! Grants mean what they mean in Spin, and nothing more.

use super::OutboundHost;

fn grant(text: &str) -> OutboundHost {
    text.parse().unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
}

#[test]
fn names_schemes_and_ports() {
    for (text, scheme, host, port, allowed) in [
        ("https://api.example.com", "https", "api.example.com", 443, true),
        ("https://api.example.com/", "https", "API.Example.com", 443, true),
        ("https://api.example.com", "http", "api.example.com", 443, false),
        ("https://api.example.com", "https", "api.example.com", 8443, false),
        ("https://api.example.com", "https", "evil-api.example.com", 443, false),
        ("*://localhost:*", "http", "localhost", 1234, true),
        ("https://*.example.com", "https", "a.b.example.com", 443, true),
        ("https://*.example.com", "https", "example.com", 443, false),
        ("https://*.example.com", "https", "badexample.com", 443, false),
        ("http://*", "http", "anything", 80, true),
        ("http://a:8000..8010", "http", "a", 8009, true),
        ("http://a:8000..8010", "http", "a", 8010, false),
        ("http://self", "http", "self", 80, false),
    ] {
        assert_eq!(grant(text).allows(scheme, host, port), allowed, "{text} {scheme}://{host}:{port}");
    }
}

#[test]
fn addresses_are_granted_by_networks_and_by_nothing_else() {
    for (text, address, granted) in [
        ("http://10.0.0.0/8", "10.1.2.3", true),
        ("http://10.9.9.9/8", "10.1.2.3", true),
        ("http://10.0.0.0/8", "11.0.0.1", false),
        ("http://127.0.0.1", "127.0.0.1", true),
        ("http://[::1]", "::1", true),
        ("http://[::1]:80", "::1", true),
        ("http://*", "127.0.0.1", false),
        ("http://localhost", "127.0.0.1", false),
    ] {
        let address = address.parse().expect("an address");
        assert_eq!(grant(text).grants_address("http", address, 80), granted, "{text} {address}");
    }
    assert!(grant("http://10.0.0.0/8").allows("http", "10.1.2.3", 80));
    assert!(!grant("http://10.0.0.0/8").allows("http", "ten.example.com", 80));
    assert!(grant("http://[::1]").allows("http", "[::1]", 80));
}

#[test]
fn components_are_granted_by_their_names() {
    for (text, granted, denied) in [
        ("http://payments.internal", true, false),
        ("http://payments.spin.internal", true, false),
        ("*://payments.internal", true, false),
        ("http://*.internal", true, true),
        ("http://*.spin.internal", true, true),
        ("*://*:*", true, true),
        ("https://*", false, false),
        ("http://payments.example.com", false, false),
    ] {
        assert_eq!(grant(text).allows_component("payments"), granted, "{text}");
        assert_eq!(grant(text).allows_component("orders"), denied, "{text}");
    }
    assert!(grant("http://payments.internal").allows("http", "payments.spin.internal", 80));
    assert!(grant("http://self").allows_own_routes());
    assert!(!grant("http://a").allows_own_routes());
}

#[test]
fn grants_are_written_as_they_are_read() {
    for text in [
        "https://api.example.com",
        "https://api.example.com:8443",
        "*://*:*",
        "http://*.example.com",
        "http://10.0.0.0/8:8080",
        "http://127.0.0.1",
        "http://[::1]:8080",
        "http://self",
        "http://payments.internal",
        "http://*.internal",
        "http://a:8000..8010",
    ] {
        assert_eq!(grant(text).to_string(), text);
    }
}

#[test]
fn what_grants_nothing_clear_is_refused() {
    for bad in [
        "",
        "*",
        "example.com",
        "http://",
        "http://a/path",
        "http://a:0",
        "http://a:80-90",
        "http://a:9..3",
        "http://a:x",
        "*://a",
        "redis://a:6379",
        "ftp://a",
        "http://a*b",
        "http://*.*.com",
        "http://{a,b}",
        "http://user@a",
        "http://a b",
        "https://payments.internal",
        "http://payments.internal:8080",
        "http://Pay_ments.internal",
        "insecure:allow-all",
        "http://.example.com",
        "http://a?b",
    ] {
        assert!(bad.parse::<OutboundHost>().is_err(), "{bad}");
    }
}
