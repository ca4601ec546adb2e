//! A hub on a database of its own, and the platforms around it, registered without the handshake (which has its own tests).

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;

pub use crate::common::listed::{Heard, Platform};
use crate::common::listed::{Listing, bare};
use crate::common::place::On;
use crate::common::site::Site;
use crate::peer::Peer;

pub struct World {
    site: Site,
    pub clock: Arc<ManualClock>,
}

pub const NOON: &str = "2026-11-21T12:00:00Z";
pub const HUB: &str = "DE/TWH";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What of a module a platform offers: `locations:SENDER`.
pub type Offers<'a> = &'a [(&'a str, &'a str)];

pub const RECEIVES: Offers = &[
    ("locations", "RECEIVER"),
    ("tariffs", "RECEIVER"),
    ("tokens", "RECEIVER"),
    ("sessions", "RECEIVER"),
];
pub const SENDS: Offers = &[("locations", "SENDER"), ("tariffs", "SENDER"), ("tokens", "SENDER")];

impl World {
    /// `None` where the database is not there; one line says so.
    pub async fn start(on: On, more: &str) -> Option<World> {
        let clock = ManualClock::at(at(NOON));
        let site = Site::open(on.place().await?, more, clock.clone()).await;
        Some(World { site, clock })
    }

    /// A second process on the same database.
    pub async fn beside(&self) -> World {
        World {
            site: self.site.beside().await,
            clock: self.clock.clone(),
        }
    }

    /// The process ends.
    pub async fn stop(self) {
        self.site.hub.stop().await;
    }

    /// A platform with these parties ("DE/ABC:CPO"), reachable at `peer` under irregular URLs.
    pub async fn platform(&self, parties: &[&str], peer: Option<(&Peer, Offers<'_>)>) -> Platform {
        let endpoints = peer.map_or(Vec::new(), |(peer, offers)| {
            let irregular = |(number, (module, role)): (usize, &(&str, &str))| {
                let form = ["/q7x/{}/?tenant=1", "/{}-zz/", "/a/{}.do?k=%20v"][number % 3];
                let word = format!("{}{}", &module[..3], &role[..1]).to_lowercase();
                json!({"identifier": module, "role": role, "url": peer.url(&form.replace("{}", &word))})
            };
            offers.iter().enumerate().map(irregular).collect()
        });
        let listing = bare(parties);
        let versions_url = peer.map_or(listing.versions_url, |(peer, _)| peer.url("/versions"));
        self.platform_at(parties, json!(endpoints), &versions_url).await
    }

    pub async fn platform_at(&self, parties: &[&str], endpoints: Value, versions_url: &str) -> Platform {
        self.platform_of("2.2.1", parties, endpoints, versions_url).await
    }

    /// One that speaks this version.
    pub async fn platform_of(&self, version: &str, parties: &[&str], endpoints: Value, versions_url: &str) -> Platform {
        self.site
            .list(Listing {
                endpoints,
                versions_url: versions_url.to_owned(),
                version,
                ..bare(parties)
            })
            .await
    }

    /// A push to everybody: `receiver/locations/DE/ABC/L1`, the hub addressed.
    pub async fn push(&self, by: &Platform, method: Method, path: &str, body: &str) -> Heard {
        let headers = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "TWH")];
        self.ask(by, method, path, &headers, body).await
    }

    /// GET of a path or of an absolute URL, the hub addressed.
    pub async fn get(&self, by: &Platform, place: &str) -> Heard {
        self.push(by, Method::GET, place, "").await
    }

    /// A call of a path behind the version, or of an absolute URL.
    pub async fn ask(&self, by: &Platform, method: Method, place: &str, headers: &[(&str, &str)], body: &str) -> Heard {
        let behind = |path: &str| format!("/ocpi/2.2.1/{path}");
        let place = if place.starts_with("http") {
            place.to_owned()
        } else {
            behind(place)
        };
        self.call(by, method, &place, headers, body).await
    }

    /// On PostgreSQL: until the answer is dropped, nobody else reads or writes anything.
    pub async fn lock_every_table(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(self.site.database(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let tables = "SELECT string_agg(format('%I', tablename), ',') FROM pg_tables WHERE schemaname = 'public'";
        let tables: String = client.query_one(tables, &[]).await.unwrap().get(0);
        let lock = format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
        client.batch_execute(&lock).await.unwrap();
        client
    }

    /// Nobody is there any more, as two calls in a row found out.
    pub fn goes_away(&self, platform: &Platform) {
        for _ in 0..2 {
            self.hub.parties.presence().unreachable(&platform.id.as_str().into());
        }
    }

    /// Waits until something is so, for half a minute.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, mut is_so: impl FnMut() -> F) {
        for _ in 0..600 {
            if is_so().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what} never came");
    }
}

impl Deref for World {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}
