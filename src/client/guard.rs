//! Which addresses may be called (N-04, D-25).
//!
//! Peers supply most of the URLs the hub calls, so each is looked at twice. [`Guard::url`] looks at what is written: the
//! scheme, and an address spelled out in the host (the HTTP client never resolves those). [`Guard::allows`] looks at what a
//! name resolves to, inside the resolver of the client, so that the address which passed is the address connected to and a
//! name that changes its mind in between gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What the operator permits beyond https to public addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guard {
    /// Plain http too: for tests, and for partners inside one network.
    pub allow_http: bool,
    /// Loopback, private, link-local and other special addresses too.
    pub allow_private_networks: bool,
}

/// Why a URL is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not an absolute URL with a host.
    #[error("not an absolute URL: {0}")]
    NotAUrl(String),
    /// Not https, and plain http is not permitted here.
    #[error("the scheme {0} is not permitted")]
    Scheme(String),
    /// User name or password in the URL: nothing in OCPI asks for them, and they confuse readers about the host.
    #[error("the URL carries a user name or password")]
    Userinfo,
    /// An address that is not public.
    #[error("the address {0} is not public")]
    Address(IpAddr),
}

impl Guard {
    /// Looks at a URL as written.
    ///
    /// # Errors
    /// [`Forbidden`] with the reason; nothing has been resolved or sent.
    pub fn url(&self, text: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(text).map_err(|why| Forbidden::NotAUrl(why.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            other => return Err(Forbidden::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::Userinfo);
        }
        // The url crate has already turned 2130706433, 0x7f.1 and 127.1 into the address they mean.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(Forbidden::NotAUrl("it names no host".to_owned())),
        };
        match literal {
            Some(address) if !self.allows(address) => Err(Forbidden::Address(address)),
            _ => Ok(url),
        }
    }

    /// May this address be connected to?
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow_private_networks || is_public(address)
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

/// Everything in the IANA special-purpose registry that is not globally reachable, multicast and the reserved space.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT, RFC 6598
        || (a == 192 && b == 0 && c == 0) // IETF protocol assignments, RFC 6890
        || (a == 192 && b == 88 && c == 99) // 6to4 relays, RFC 7526
        || (a == 198 && (18..20).contains(&b)); // benchmarking, RFC 2544
    !special
}

/// Only 2000::/3 is global unicast, and not all of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global_unicast = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && b < 0x0200) // IETF protocol assignments, Teredo among them
        || (a == 0x2001 && b == 0x0db8)
        || (a & 0xfff0 == 0x3ff0); // documentation, RFC 3849 and 9637
    global_unicast && !special
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 (both prefixes) and 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)), // translated, RFC 2765
        [0, 0, 0, 0, 0, 0, high, low] => Some(v4(high, low)),      // compatible; :: and ::1 are caught as 0.0.0.x
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 1, ..] => Some(Ipv4Addr::UNSPECIFIED), // local NAT64, RFC 8215: never public
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STRICT: Guard = Guard {
        allow_http: false,
        allow_private_networks: false,
    };

    /// N-04: every spelling of an address that is not public.
    #[test]
    fn no_spelling_of_an_inner_address_passes() {
        let spellings = [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "0177.1",
            "017700000001",
            "127.000.000.001",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "0x0",
            "10.0.0.1",
            "10.1",
            "167772161",
            "0xa.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "0xc0.0xa8.0.1",
            "3232235521",
            "192.168.257",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "①②⑦.⓪.⓪.①",
            "１２７.0.0.1",
            "127。0。0。1",
            "%31%32%37.0.0.1",
            "[::1]",
            "[::]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:0:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b:1::7f00:1]",
            "[2002:7f00:1::]",
            "[2002:c0a8:1::1]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12:3456::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2001::1]",
            "[100::1]",
            "[3fff::1]",
        ];
        assert!(spellings.len() >= 40);
        for host in spellings {
            let url = format!("https://{host}/ocpi/versions");
            assert!(
                STRICT.url(&url).is_err(),
                "{url} passed as {:?}",
                Url::parse(&url).map(|u| u.host_str().map(str::to_owned))
            );
        }
    }

    #[test]
    fn public_addresses_and_names_pass() {
        for host in [
            "1.1.1.1",
            "hub.example.com",
            "[2606:4700::1111]",
            "[::ffff:1.1.1.1]",
            "198.51.99.1",
            "example.com:8443",
        ] {
            assert!(STRICT.url(&format!("https://{host}/")).is_ok(), "{host}");
        }
    }

    #[test]
    fn only_https_without_credentials_is_called_unless_permitted() {
        assert_eq!(
            STRICT.url("http://example.com/"),
            Err(Forbidden::Scheme("http".to_owned()))
        );
        assert!(
            Guard {
                allow_http: true,
                ..STRICT
            }
            .url("http://example.com/")
            .is_ok()
        );
        for url in [
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "data:text/plain,x",
        ] {
            let lax = Guard {
                allow_http: true,
                allow_private_networks: true,
            };
            assert!(lax.url(url).is_err(), "{url}");
        }
        assert_eq!(STRICT.url("https://hub:secret@example.com/"), Err(Forbidden::Userinfo));
        assert!(matches!(STRICT.url("/relative"), Err(Forbidden::NotAUrl(_))));
    }

    #[test]
    fn inner_addresses_pass_where_the_operator_says_so() {
        let lax = Guard {
            allow_http: true,
            allow_private_networks: true,
        };
        assert!(lax.url("http://127.0.0.1:8080/").is_ok());
        assert!(lax.allows("::1".parse().unwrap()));
    }
}
