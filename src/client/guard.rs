//! Which addresses may be called (N-04, D-25): TLS only, and nothing inside our own walls.
//!
//! A URL is judged twice. Before the call its host is looked at as the URL library understands it, because address literals
//! in all their spellings never reach a resolver. When a name is resolved, addresses that may not be called are dropped; what
//! is left is what gets connected to, so a name that changes its mind in between gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::{fmt, io};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

use crate::config::Network;
use crate::ocpi::url::host_and_port;

/// What may be called.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Without TLS too; for tests and demonstrations.
    pub allow_http: bool,
    /// Loopback, private and other non-public addresses too; for tests and demonstrations.
    pub allow_private_networks: bool,
    /// Networks that may be called although they are not public: the operator said so of each.
    pub allowed_networks: Vec<Network>,
}

/// The addresses of a name.
pub type Asked = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// Who says which addresses a name has.
#[derive(Clone, Default)]
pub enum Names {
    /// The system's resolver.
    #[default]
    System,
    /// Whoever is asked here, for names that change their mind in a test.
    Of(Arc<Asked>),
}

/// A URL that is not called, and why. The URL is not repeated: there may be a token in its query.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Forbidden(pub(super) String);

impl Guard {
    /// The URL as it will be called.
    ///
    /// `allowed_hosts`, where given, are the only ones that may see what is sent, as `host:port` (D-25, N-05).
    ///
    /// # Errors
    /// [`Forbidden`] with the rule it breaks.
    pub fn check(&self, url: &str, allowed_hosts: Option<&[String]>) -> Result<Url, Forbidden> {
        let forbidden = |reason: &str| Err(Forbidden(reason.to_owned()));
        let Ok(mut parsed) = Url::parse(url) else {
            return forbidden("this is no absolute URL");
        };
        match parsed.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return forbidden("only https may be called (outbound.allow_http)"),
            _ => return forbidden("only https and http can be called"),
        }
        // Credentials in a URL would become an Authorization header beside ours.
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return forbidden("a URL with a user name or password is not called");
        }
        match parsed.host() {
            Some(Host::Ipv4(address)) => self.check_address(address.into())?,
            Some(Host::Ipv6(address)) => self.check_address(address.into())?,
            Some(Host::Domain(_)) => {}
            None => return forbidden("a URL without a host cannot be called"),
        }
        if let Some(allowed) = allowed_hosts {
            let Some(host) = host_and_port(url) else {
                return forbidden("a URL without a host cannot be called");
            };
            if !allowed.iter().any(|known| known.eq_ignore_ascii_case(&host)) {
                return Err(Forbidden(format!("{host} is not a host of that platform")));
            }
        }
        parsed.set_fragment(None);
        Ok(parsed)
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allows(address) {
            Ok(())
        } else {
            Err(Forbidden(format!(
                "{address} is not a public address (outbound.allow_private_networks)"
            )))
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow_private_networks
            || is_public(address)
            || self.allowed_networks.iter().any(|network| network.contains(address))
    }
}

impl Names {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        // Port 0 is replaced by the caller with the one of the URL.
        match self {
            Names::System => Ok(tokio::net::lookup_host((name, 0)).await?.collect()),
            Names::Of(ask) => Ok(ask(name)
                .into_iter()
                .map(|address| SocketAddr::new(address, 0))
                .collect()),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Names::System => "System",
            Names::Of(_) => "Of(…)",
        })
    }
}

/// True for addresses of the public Internet that belong to one machine.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Everything the IANA special-purpose registry does not keep for itself.
fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0, ..]                       // this network
        | [10, ..]                    // private
        | [100, 64..=127, ..]         // carrier-grade NAT
        | [127, ..]                   // loopback
        | [169, 254, ..]              // link-local, metadata services
        | [172, 16..=31, ..]          // private
        | [192, 0, 0 | 2, _]          // protocol assignments, documentation
        | [192, 88, 99, _]            // 6to4 relays
        | [192, 168, ..]              // private
        | [198, 18 | 19, ..]          // benchmarks
        | [198, 51, 100, _]           // documentation
        | [203, 0, 113, _]            // documentation
        | [224..=255, ..] // multicast, reserved, broadcast
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // IPv4-mapped, and the well-known prefix of NAT64: the IPv4 address inside is the one that is reached.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2001, 0..=0x01ff, ..]      // Teredo, ORCHID, benchmarks and other protocol assignments
        | [0x2001, 0x0db8, ..]        // documentation
        | [0x2002, ..]                // 6to4: an IPv4 address of anybody's choosing
        | [0x3fff, 0..=0x0fff, ..]    // documentation
        => false,
        // The only block unicast addresses are given out from. Loopback, unspecified, IPv4-compatible, local NAT64, discard,
        // unique local, link-local, site-local and multicast are all outside.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names and drops the addresses that may not be called.
pub(super) struct GuardedResolver {
    pub(super) guard: Arc<Guard>,
    pub(super) names: Names,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, names) = (self.guard.clone(), self.names.clone());
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            Ok(allowed(&guard, found)?)
        })
    }
}

fn allowed(guard: &Guard, found: Vec<SocketAddr>) -> Result<Addrs, Forbidden> {
    let allowed: Vec<_> = found.into_iter().filter(|address| guard.allows(address.ip())).collect();
    if allowed.is_empty() {
        let reason = "the name leads to no public address (outbound.allow_private_networks)";
        return Err(Forbidden(reason.to_owned()));
    }
    Ok(Box::new(allowed.into_iter()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STRICT: Guard = Guard {
        allow_http: false,
        allow_private_networks: false,
        allowed_networks: Vec::new(),
    };
    const OPEN: Guard = Guard {
        allow_http: true,
        allow_private_networks: true,
        allowed_networks: Vec::new(),
    };

    // N-04, D-25, design.md 4
    #[test]
    fn no_spelling_of_a_non_public_address_gets_past_the_guard() {
        for host in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0X7F.0.0.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.0x1",
            "%31%32%37.0.0.1",
            "１２７.０.０.１",
            "127。0。0。1",
            "0",
            "0.0.0.0",
            "0x0",
            "00.0",
            "10.0.0.1",
            "10.1",
            "167772161",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "0xc0.0xa8.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[0000::0001]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::FFFF:10.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[::127.0.0.1]",
            "[::7f00:1]",
            "[::8.8.8.8]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::a00:1]",
            "[64:ff9b:1::8.8.8.8]",
            "[100::1]",
            "[2001::1]",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
            "[2001:20::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
            "[2002:0808:0808::1]",
            "[3fff::1]",
            "[5f00::1]",
            "[fc00::1]",
            "[fd12:3456::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[::ffff:0:127.0.0.1]",
        ] {
            let url = format!("https://{host}:8443/ocpi");
            let refused = STRICT.check(&url, None).unwrap_err();
            assert!(refused.0.contains("is not a public address"), "{host}: {refused}");
            assert!(OPEN.check(&url, None).is_ok(), "{host}");
        }
    }

    #[test]
    fn public_addresses_and_names_are_let_through() {
        for host in [
            "8.8.8.8",
            "134744072",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[2001:200::1]",
            "[2001:4860:4860::8888]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::8.8.8.8]",
            "[3ffe::1]",
            "example.com",
            "xn--bcher-kva.example",
            "localhost",
        ] {
            assert!(STRICT.check(&format!("https://{host}/ocpi"), None).is_ok(), "{host}");
        }
    }

    // T-09
    #[test]
    fn only_tls_is_spoken_unless_the_operator_says_otherwise() {
        assert!(STRICT.check("http://example.com/", None).is_err());
        assert!(OPEN.check("http://example.com/", None).is_ok());
        for url in [
            "ftp://example.com/",
            "file:///etc/passwd",
            "ws://example.com/",
            "data:,x",
            "example.com",
            "//example.com",
            "",
        ] {
            assert!(OPEN.check(url, None).is_err(), "{url}");
        }
    }

    #[test]
    fn a_url_with_credentials_is_refused_without_repeating_them() {
        for url in [
            "https://user@example.com/",
            "https://:secret@example.com/",
            "https://user:secret@example.com/",
        ] {
            let refused = OPEN.check(url, None).unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }

    // N-05, D-25
    #[test]
    fn a_token_is_shown_to_the_hosts_of_its_platform_only() {
        let allowed = ["Example.com:443".to_owned(), "[2606:4700::1]:8443".to_owned()];
        for url in [
            "https://example.com/x",
            "https://EXAMPLE.com:443",
            "https://example.com./x",
            "https://[2606:4700:0::1]:8443/",
        ] {
            assert!(STRICT.check(url, Some(&allowed)).is_ok(), "{url}");
        }
        for url in [
            "https://example.com:8443/",
            "https://evil.com/example.com:443",
            "https://sub.example.com/",
            "https://[2606:4700::1]/",
        ] {
            assert!(STRICT.check(url, Some(&allowed)).is_err(), "{url}");
        }
        assert!(STRICT.check("https://example.com/", Some(&[])).is_err());
    }

    #[test]
    fn a_fragment_is_not_sent() {
        assert_eq!(
            STRICT.check("https://example.com/a?b#c", None).unwrap().as_str(),
            "https://example.com/a?b"
        );
    }

    // D-25: the second look, when the name has been resolved.
    #[test]
    fn of_a_names_addresses_only_the_public_ones_are_called() {
        let found: Vec<SocketAddr> = ["127.0.0.1:0", "8.8.8.8:0", "[::1]:0"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        let left: Vec<_> = allowed(&STRICT, found.clone()).unwrap().collect();
        assert_eq!(left, ["8.8.8.8:0".parse::<SocketAddr>().unwrap()]);
        assert!(allowed(&STRICT, vec![found[0], found[2]]).is_err());
        assert!(allowed(&STRICT, Vec::new()).is_err());
        assert_eq!(allowed(&OPEN, found.clone()).unwrap().collect::<Vec<_>>(), found);
    }

    #[test]
    fn a_network_the_operator_named_may_be_called_and_its_neighbours_may_not() {
        let guard = Guard {
            allowed_networks: ["10.8.0.0/16", "192.168.7.9/32", "fd12:3456::/33"]
                .map(|text| Network::parse(text).unwrap())
                .to_vec(),
            ..STRICT
        };
        for host in [
            "10.8.255.255",
            "10.8.1",
            "192.168.7.9",
            "[::ffff:10.8.0.1]",
            "[fd12:3456:7fff::1]",
            "8.8.8.8",
        ] {
            assert!(guard.check(&format!("https://{host}/"), None).is_ok(), "{host}");
        }
        for host in [
            "10.9.0.0",
            "10.7.255.255",
            "192.168.7.8",
            "[::10.8.0.1]",
            "[fd12:3456:8000::1]",
            "[fd12:3457::1]",
            "127.0.0.1",
        ] {
            assert!(guard.check(&format!("https://{host}/"), None).is_err(), "{host}");
        }
    }
}
