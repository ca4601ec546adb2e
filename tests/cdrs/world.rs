//! A hub on a database of its own, and the platforms around it, registered without the handshake (which has its own tests).

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::{Clock, ManualClock};
use truewatt::metering::key::Curve;
use truewatt::metering::sign::SigningMeter;
use truewatt::ocpi::ids::PartyId;
use truewatt::registry::checks::NewKey;
use truewatt::registry::record::Unit;

use crate::common::listed::{Heard, Listing, Platform, bare};
use crate::common::place::On;
use crate::common::site::Site;
use crate::peer::Peer;

pub struct World {
    pub site: Site,
    pub clock: Arc<ManualClock>,
}

pub const NOON: &str = "2026-11-21T12:00:00Z";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    /// `None` where the database is not there; one line says so.
    pub async fn start(on: On, more: &str) -> Option<World> {
        let clock = ManualClock::at(at(NOON));
        let more = format!("[paging]\nmax_limit = 5\n{more}");
        let site = Site::open(on.place().await?, &more, clock.clone()).await;
        Some(World { site, clock })
    }

    /// A hub that says it is at an address where nobody answers.
    pub async fn start_unreachable(on: On) -> Option<World> {
        let clock = ManualClock::at(at(NOON));
        let site = Site::open_as(on.place().await?, "http://127.0.0.1:9", "", clock.clone()).await;
        Some(World { site, clock })
    }

    /// A second process on the same database.
    pub async fn beside(&self) -> World {
        World {
            site: self.site.beside().await,
            clock: self.clock.clone(),
        }
    }

    /// A platform with these parties ("DE/ABC:CPO"), reachable at `peer` where it has a CDR RECEIVER interface.
    pub async fn platform(&self, parties: &[&str], peer: Option<&Peer>) -> Platform {
        self.platform_with(parties, peer, json!({}), "2.2.1").await
    }

    pub async fn platform_with(
        &self,
        parties: &[&str],
        peer: Option<&Peer>,
        options: Value,
        version: &str,
    ) -> Platform {
        let listing = match peer {
            Some(peer) => Listing {
                endpoints: json!([{"identifier": "cdrs", "role": "RECEIVER", "url": peer.url("/in/box?tenant=1")}]),
                versions_url: peer.url("/versions"),
                ..bare(parties)
            },
            None => bare(parties),
        };
        self.site
            .list(Listing {
                options,
                version,
                ..listing
            })
            .await
    }

    pub async fn post(&self, by: &Platform, body: &str) -> Heard {
        self.post_with(by, &[], body, "2.2.1").await
    }

    pub async fn post_with(&self, by: &Platform, headers: &[(&str, &str)], body: &str, version: &str) -> Heard {
        let path = format!("/ocpi/{version}/receiver/cdrs");
        self.call(by, Method::POST, &path, headers, body).await
    }

    /// GET of a path or of an absolute URL.
    pub async fn get(&self, by: &Platform, place: &str, headers: &[(&str, &str)]) -> Heard {
        self.call(by, Method::GET, place, headers, "").await
    }

    pub async fn list(&self, by: &Platform, query: &str) -> Heard {
        self.get(by, &format!("/ocpi/2.2.1/sender/cdrs{query}"), &[]).await
    }

    /// How the operator sees a CDR of DE/ABC.
    pub async fn cdr(&self, id: &str) -> Value {
        let (status, cdr) = self
            .operate(Method::GET, &format!("/operator/v1/cdrs/DE/ABC/{id}"), None)
            .await;
        if status == 200 { cdr } else { Value::Null }
    }

    pub async fn delivery(&self, id: &str) -> String {
        self.cdr(id).await["delivery"].as_str().unwrap_or("gone").to_owned()
    }

    /// Time passes, and the hub notices: until the CDR is in that state.
    pub async fn until_delivery(&self, id: &str, wanted: &str) {
        for _ in 0..200 {
            if self.delivery(id).await == wanted {
                return;
            }
            self.clock.advance(TimeDelta::seconds(2));
            self.hub.delivery.nudge();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{id} is {} and never became {wanted}", self.delivery(id).await);
    }

    /// Meter M1 at DE*ABC*E1 signs with this key, by the word of the hub's operator: the id of its registration.
    pub async fn register(&self, meter: &SigningMeter) -> String {
        self.register_as(meter, json!({})).await
    }

    /// The same, with these members in place of the usual.
    pub async fn register_as(&self, meter: &SigningMeter, more: Value) -> String {
        let mut claim = json!({
            "public_key": hex::encode(meter.public_key().to_spki_der()),
            "meter_serial": "M1",
            "evse_id": "DE*ABC*E1",
            "cpo": {"country_code": "DE", "party_id": "ABC"},
            "valid_from": "2026-01-01T00:00:00Z",
        });
        for (name, value) in more.as_object().unwrap() {
            claim[name] = value.clone();
        }
        let (status, key) = self.operate(Method::POST, "/operator/v1/keys", Some(claim)).await;
        assert_eq!(status, 201, "{key}");
        key["id"].as_str().unwrap().to_owned()
    }

    /// The hub's time, as a parameter.
    pub fn clock_text(&self) -> String {
        self.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    /// The row id of a CDR of DE/ABC.
    pub async fn row_id(&self, id: &str) -> String {
        let found = self
            .hub
            .store
            .cdr_find("DE/ABC", &truewatt::ocpi::ids::fold(id))
            .await
            .unwrap();
        found.unwrap().id
    }

    /// As if all CDRs had been taken by a program that knew no traces.
    pub async fn forget_traces(&self) {
        self.site
            .execute("DELETE FROM traces; UPDATE walks SET position = '', rounds = 0")
            .await;
    }

    /// A request on a bare connection, for callers who hang up.
    pub fn raw_post(&self, by: &Platform, body: &str) -> (String, String) {
        let token = by.authorization();
        let host = self.hub.url.trim_start_matches("http://").to_owned();
        let request = format!(
            "POST /ocpi/2.2.1/receiver/cdrs HTTP/1.1\r\nhost: {host}\r\nauthorization: {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        (host, request)
    }
}

impl Deref for World {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

pub fn meter(seed: &str) -> SigningMeter {
    SigningMeter::from_seed(Curve::Secp256r1, seed.as_bytes()).unwrap()
}

/// What DE/ABC submits for this key: that it signs for M1 at DE*ABC*E1.
pub fn new_key(key: &SigningMeter) -> NewKey {
    let unit = Unit {
        meter_serial: Some("M1".into()),
        ..Unit::default()
    };
    NewKey::of(
        hex::encode(key.public_key().to_spki_der()),
        unit,
        "DE*ABC*E1".into(),
        PartyId::from_slash("DE/ABC").unwrap(),
        at("2026-11-01T00:00:00Z"),
    )
}

/// A CDR of DE/ABC for DE/MSP, without signed data and with spellings that a parser would lose.
pub fn plain(id: &str) -> String {
    cdr(id, "DE/MSP", "null", "")
}

/// A CDR with a begin and an end record of `meter`; `page` tells sessions of one meter apart.
pub fn signed(id: &str, meter: &SigningMeter, page: u32) -> String {
    cdr(id, "DE/MSP", &signed_data(meter, page, Some(meter)), "")
}

pub fn signed_data(meter: &SigningMeter, page: u32, delivered: Option<&SigningMeter>) -> String {
    let record = |number: u32, marker: &str, hour: u32, value: &str| {
        meter.ocmf(&format!(
            r#"{{"FV":"1.0","MS":"M1","PG":"T{number}","ID":"04AA","RD":[{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ))
    };
    let value = |nature: &str, record: String| json!({"nature": nature, "plain_data": "", "signed_data": record});
    let mut signed = json!({
        "encoding_method": "OCMF",
        "signed_values": [
            value("Start", record(2 * page, "B", 9, "10.000")),
            value("End", record(2 * page + 1, "E", 10, "17.500"))
        ],
    });
    if let Some(delivered) = delivered {
        signed["public_key"] = json!(hex::encode(delivered.public_key().to_spki_der()));
    }
    signed.to_string()
}

pub fn cdr(id: &str, emsp: &str, signed_data: &str, more: &str) -> String {
    let (country_code, party_id) = emsp.split_once('/').unwrap();
    format!(
        "{{ \"zz_first\" : [1, 2,3 ],\n\"country_code\":\"DE\",\"party_id\":\"ABC\",\"id\":\"{id}\",\
         \"start_date_time\":\"2026-11-21T09:00:00Z\",\"end_date_time\":\"2026-11-21T10:00:00Z\",\
         \"cdr_token\":{{\"country_code\":\"{country_code}\",\"party_id\":\"{party_id}\",\"uid\":\"04AA\",\"type\":\"RFID\",\"contract_id\":\"C1\"}},\
         \"auth_method\":\"WHITELIST\",\"cdr_location\":{{\"id\":\"L1\",\"evse_uid\":\"1\",\"evse_id\":\"DE*ABC*E1\"}},\
         \"meter_id\":\"M1\",\"currency\":\"EUR\",\"total_cost\":{{\"excl_vat\":0.10000000000000000001}},\
         \"signed_data\":{signed_data},\"total_energy\":7.500,{more}\"last_updated\":\"2026-11-21T10:00:01Z\"}}\n"
    )
}
