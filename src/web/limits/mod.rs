//! Limits before work: who asks too often, or guesses tokens, is turned away before a body is read or a database touched (N-03, D-24).
//!
//! Two questions, in this order. Of an address, before its token is looked at: may it ask at all ([`Limits::admit`])? Of a platform, once its
//! token was recognised: may it ask now ([`Limits::platform_may_ask`])? The answer to both is 429 with `Retry-After`, in the words of the door.
//! What a connection may cost before there is a request is [`super::doorstep`]'s.
//!
//! The rule everything follows from: **a limit costs less than what it keeps away**. In memory, bounded, and each process counts for
//! itself: this keeps a careless client from costing the others, it is no accounting.

pub mod address;
pub mod bodies;
pub mod guessing;
pub mod threshold;

use std::net::IpAddr;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Data;

use super::pace::Pace;
use crate::clock::SharedClock;
use crate::config;
use crate::ocpi::ids::PlatformId;
use crate::ocpi::refusal::Refusal;
use crate::routing::directory::Platform;
use crate::seeing::Tally;
use crate::web::Doors;
use address::Proxies;
use bodies::Bodies;
use guessing::Guessing;

/// What each may ask of us.
pub struct Limits {
    platforms: Option<Pace<PlatformId>>,
    addresses: Option<Pace<IpAddr>>,
    guessing: Guessing,
    proxies: Proxies,
    body: Duration,
    bodies: Bodies,
    turned_away: Tally,
}

/// Why somebody was turned away, as it is counted.
const REASONS: [&str; 4] = ["head_too_large", "wrong_tokens", "address_rate", "platform_rate"];

/// How a body is read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The whole of it has to arrive within this time.
    pub within: Duration,
    /// What it shares with all others.
    pub bodies: Bodies,
}

/// A request may have so many headers. Half of that is what a chain of proxies leaves behind.
pub const MOST_HEADERS: usize = 64;

impl Limits {
    /// As configured.
    #[must_use]
    pub fn new(limits: &config::Limits, server: &config::Server, clock: SharedClock) -> Limits {
        Limits {
            platforms: limits.platform_rate.map(|most| Pace::each_second(most, clock.clone())),
            addresses: limits.address_rate.map(|most| Pace::each_second(most, clock.clone())),
            guessing: Guessing::new(limits, clock),
            proxies: Proxies::new(server),
            body: limits.body,
            bodies: Bodies::of_at_most(limits.bodies),
            turned_away: Tally::of(&REASONS),
        }
    }

    /// How many requests were turned away since the start, by reason.
    #[must_use]
    pub fn turned_away(&self) -> &Tally {
        &self.turned_away
    }

    /// How many wrong tokens there were since the start, and how many addresses were locked out for them.
    #[must_use]
    pub fn guesses(&self) -> &Tally {
        self.guessing.seen()
    }

    /// Whether a request may come in, before anybody has looked at its token.
    ///
    /// # Errors
    /// 431 for a head nobody needs; 429 where its address asks too often, or is locked out of the doors that want a token.
    pub fn admit(&self, request: &HttpRequest) -> Result<(), Refusal> {
        // Whoever restarts the process must hear an answer in any weather; it costs nothing.
        let path = path_of(request);
        if path == "/health/live" {
            return Ok(());
        }
        if request.headers().len() > MOST_HEADERS {
            self.turned_away.count("head_too_large");
            let sentence = format!("a request may have at most {MOST_HEADERS} headers");
            return Err(Refusal::head_too_large(sentence));
        }
        let Some(address) = self.address(request) else {
            return Ok(());
        };
        if !is_open(path) {
            let listened_to = self.guessing.may_try(address);
            listened_to
                .map_err(|wait| self.too_often("wrong_tokens", "too many wrong tokens from this address", wait))?;
        }
        match &self.addresses {
            Some(addresses) => addresses
                .ask(&address)
                .map_err(|wait| self.too_often("address_rate", "too many requests from this address", wait)),
            None => Ok(()),
        }
    }

    /// Whether a platform may ask now.
    ///
    /// # Errors
    /// 429, with how long to wait.
    pub fn platform_may_ask(&self, platform: &Platform) -> Result<(), Refusal> {
        match &self.platforms {
            Some(platforms) => platforms
                .ask(&platform.id)
                .map_err(|wait| self.too_often("platform_rate", "too many requests of this platform", wait)),
            None => Ok(()),
        }
    }

    fn too_often(&self, reason: &str, sentence: &str, wait: Duration) -> Refusal {
        self.turned_away.count(reason);
        Refusal::too_often(sentence, wait)
    }

    /// Takes note of a token that opens nothing.
    pub fn wrong_token(&self, request: &HttpRequest) {
        if let Some(address) = self.address(request) {
            self.guessing.wrong(address);
        }
    }

    /// Who asks: the address of the connection, or the one a trusted proxy names; of IPv6 the network that one customer gets. `None` where
    /// there is no connection.
    #[must_use]
    pub fn address(&self, request: &HttpRequest) -> Option<IpAddr> {
        let connected = request.peer_addr()?.ip();
        let caller = self.proxies.caller(connected, request.headers());
        Some(address::customer(caller))
    }

    /// How a body is read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading {
            within: self.body,
            bodies: self.bodies.clone(),
        }
    }
}

/// How the body of a request is read; nothing of it where there are no doors.
#[must_use]
pub fn reading(request: &HttpRequest) -> Reading {
    let nothing = Reading {
        within: Duration::ZERO,
        bodies: Bodies::of_at_most(0),
    };
    let doors = request.app_data::<Data<Doors>>();
    doors.map_or(nothing, |doors| doors.limits.reading())
}

/// The path as it will be routed: `/%6Fperator` is `/operator`.
fn path_of(request: &HttpRequest) -> &str {
    request.match_info().as_str()
}

/// Whether a path is open to everybody; behind all others somebody may look at a token.
fn is_open(path: &str) -> bool {
    ["/keys", "/health", "/openapi"]
        .iter()
        .any(|prefix| super::route::below(path, prefix).is_some())
}
