//! Which addresses are public. A name that was granted must not lead into a private network that was not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether anyone on the Internet may be at this address: not private, local, shared, reserved or multicast. The
/// ranges are those of the IANA special-purpose address registries (RFC 6890 and its updates).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Whether a connection to this address can never be meant: unspecified, multicast and broadcast.
pub(crate) fn is_unreachable(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    let benchmarking = a == 198 && (18..20).contains(&b);
    let this_network_or_reserved = a == 0 || a >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || shared
        || protocol_assignments
        || benchmarking
        || this_network_or_reserved)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded_v4 = match segments {
        // 64:ff9b::/96 (NAT64) and 2002::/16 (6to4) carry an IPv4 address that is reached through them.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded_v4 {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    let documentation = segments[0] == 0x2001 && segments[1] == 0xdb8;
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    global_unicast && !documentation
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{is_public, is_unreachable};

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn private_ranges_are_not_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:a00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(address(private)), "{private}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(is_public(address(public)), "{public}");
        }
    }

    #[test]
    fn nobody_is_at_these() {
        for nobody in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"] {
            assert!(is_unreachable(address(nobody)), "{nobody}");
        }
        assert!(!is_unreachable(address("127.0.0.1")));
    }
}
