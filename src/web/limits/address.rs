//! Where a request comes from. A header is anybody's word: it counts only as far as proxies that were named vouch for it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::http::header::HeaderMap;

use crate::config::{self, Network, ProxyHeader};

/// The proxies in front of the hub, and how they say for whom they ask.
#[derive(Debug, Clone)]
pub struct Proxies {
    trusted: Vec<Network>,
    header: ProxyHeader,
}

impl Proxies {
    /// As configured.
    #[must_use]
    pub fn new(server: &config::Server) -> Proxies {
        Proxies {
            trusted: server.trusted_proxies.clone(),
            header: server.proxy_header,
        }
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn are(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Whom a connection from `connected` asks for. Each proxy appends where it was called from, so the chain is read from its end, and the
    /// first who is no proxy of ours is the caller: what stands before that, he may have written himself.
    #[must_use]
    pub fn caller(&self, connected: IpAddr, headers: &HeaderMap) -> IpAddr {
        let connected = connected.to_canonical();
        if !self.are(connected) {
            return connected;
        }
        let mut caller = connected;
        for named in self.chain(headers).into_iter().rev() {
            // Somebody a proxy of ours does not name ("unknown", "_hidden") is that proxy to us.
            let Some(address) = named else { break };
            caller = address;
            if !self.are(address) {
                break;
            }
        }
        caller
    }

    /// Who the chain names, first caller first; `None` where it names nobody one can reach.
    fn chain(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = match self.header {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        };
        // Several lines are one list (RFC 9110, 5.3).
        let lines = headers.get_all(name).map(|line| line.to_str().unwrap_or_default());
        let hops = lines.flat_map(|line| line.split(','));
        match self.header {
            ProxyHeader::XForwardedFor => hops.map(node).collect(),
            ProxyHeader::Forwarded => hops.map(forwarded_for).collect(),
        }
    }
}

/// One element of `Forwarded` (RFC 7239, 4): `for="[2001:db8::17]:4711";proto=https`.
fn forwarded_for(hop: &str) -> Option<IpAddr> {
    hop.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| node(value)).flatten()
    })
}

/// An address, with or without port, brackets and quotes.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => Some(address),
        Err(_) => text.parse::<SocketAddr>().ok().map(|address| address.ip()),
    };
    address.map(|address| address.to_canonical())
}

/// What counts as one: an IPv4 address, or the 64 bits of an IPv6 network, of which every customer has all addresses.
#[must_use]
pub fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn proxies(header: ProxyHeader) -> Proxies {
        Proxies {
            trusted: ["10.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap()).to_vec(),
            header,
        }
    }

    fn caller(header: ProxyHeader, connected: &str, lines: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        let caller = proxies(header).caller(connected.parse().unwrap(), &headers);
        caller.to_string()
    }

    #[test]
    fn the_caller_is_the_last_address_that_is_no_proxy_of_ours() {
        use ProxyHeader::XForwardedFor;
        let said = |connected: &str, value: &str| caller(XForwardedFor, connected, &[("x-forwarded-for", value)]);
        assert_eq!(said("10.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(
            said("10.0.0.1", "192.0.2.1, 203.0.113.9"),
            "203.0.113.9",
            "the first he wrote himself"
        );
        assert_eq!(said("10.0.0.1", "192.0.2.1, 203.0.113.9, 10.2.3.4"), "203.0.113.9");
        assert_eq!(said("10.0.0.1", "10.9.9.9,10.2.3.4"), "10.9.9.9", "one of our own asks");
        assert_eq!(said("10.0.0.1", "203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(said("::1", "[2001:db8::17]:4711"), "2001:db8::17");
        assert_eq!(said("::ffff:10.0.0.1", "2001:db8::17"), "2001:db8::17");
        for nonsense in [
            "",
            "unknown",
            "203.0.113.9, unknown",
            "203.0.113.9,",
            "\u{fffd}",
            "1.2.3",
        ] {
            assert_eq!(said("10.0.0.1", nonsense), "10.0.0.1", "{nonsense:?}");
        }
        let lines = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(
            caller(XForwardedFor, "10.0.0.1", &lines),
            "203.0.113.9",
            "lines are one list"
        );
    }

    #[test]
    fn nobody_else_is_believed() {
        use ProxyHeader::{Forwarded, XForwardedFor};
        let lines = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(caller(XForwardedFor, "203.0.113.9", &lines), "203.0.113.9");
        assert_eq!(caller(Forwarded, "203.0.113.9", &lines), "203.0.113.9");
        // A proxy that writes one header passes the other on as the caller wrote it.
        assert_eq!(caller(Forwarded, "10.0.0.1", &lines[..1]), "10.0.0.1");
        assert_eq!(caller(XForwardedFor, "10.0.0.1", &lines[1..]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_too() {
        let said = |value: &str| caller(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", value)]);
        assert_eq!(said("for=203.0.113.9"), "203.0.113.9");
        assert_eq!(
            said("for=192.0.2.1, proto=https;For=\"203.0.113.9:80\";by=10.0.0.1"),
            "203.0.113.9"
        );
        assert_eq!(said("for=\"[2001:db8::17]:4711\""), "2001:db8::17");
        assert_eq!(said("for=203.0.113.9, for=_hidden"), "10.0.0.1");
        assert_eq!(said("proto=https"), "10.0.0.1");
    }

    #[test]
    fn one_customer_is_one_address_or_one_network_of_ipv6() {
        let of = |text: &str| customer(text.parse().unwrap()).to_string();
        assert_eq!(of("203.0.113.9"), "203.0.113.9");
        assert_eq!(of("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
