//! Two operators, a provider, and the desk where operators register the keys of their meters (key-registry.md 4.5, "Party API").

use std::time::Duration;

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::metering::sign::SigningMeter;
use uuid::Uuid;

use crate::common::listed::{Heard, Platform};
use crate::peer::Peer;
use crate::world::World;

pub const DESK: &str = "/partner/v1/registrations";
pub const KEYS: &str = "/operator/v1/keys";

pub struct Desk {
    pub world: World,
    /// DE/ABC.
    pub cpo: Platform,
    /// DE/XYZ.
    pub other: Platform,
    /// DE/MSP.
    pub emsp: Platform,
    pub emsp_server: Peer,
}

/// Meter M1 of DE/ABC at DE*ABC*E1, of a manufacturer the hub knows.
pub fn claim(meter: &SigningMeter) -> Value {
    json!({
        "public_key": hex::encode(meter.public_key().to_spki_der()),
        "key_pair": "GENERATED",
        "meter_serial": "M1",
        "manufacturer": "ACME",
        "model": "Post 1",
        "evse_id": "DE*ABC*E1",
        "valid_from": "2026-01-01T00:00:00Z",
    })
}

pub fn with(mut claim: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        claim[name] = value.clone();
    }
    claim
}

pub fn id(registration: &Value) -> &str {
    registration["id"].as_str().unwrap_or_else(|| panic!("{registration}"))
}

/// The codes of what was found.
pub fn found(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap_or_else(|| panic!("{answer}"));
    findings.iter().map(|one| one["code"].as_str().unwrap()).collect()
}

impl Desk {
    pub async fn of(world: World) -> Desk {
        Desk::with_options(world, json!({})).await
    }

    /// DE/ABC with these options.
    pub async fn with_options(world: World, options: Value) -> Desk {
        let emsp_server = Peer::open().await;
        let desk = Desk {
            cpo: world.platform_with(&["DE/ABC:CPO"], None, options, "2.2.1").await,
            other: world.platform(&["DE/XYZ:CPO"], None).await,
            emsp: world.platform(&["DE/MSP:EMSP"], Some(&emsp_server)).await,
            emsp_server,
            world,
        };
        desk.operator_registers(json!({"meter_serial": "M0", "evse_id": "DE*ABC*E0"}))
            .await;
        desk
    }

    /// A unit of ACME, by the hub's own people: now its manufacturer is known.
    pub async fn operator_registers(&self, members: Value) -> Value {
        let meter = crate::world::meter("of the operator");
        let whose = json!({"cpo": {"country_code": "DE", "party_id": "ABC"}});
        let claim = with(with(claim(&meter), whose), members);
        let (status, key) = self.world.operate(Method::POST, KEYS, Some(claim)).await;
        assert_eq!((status, &key["state"]), (201, &json!("CONFIRMED")), "{key}");
        key
    }

    /// A write with a key of its own.
    pub async fn write(&self, by: &Platform, path: &str, body: &Value) -> Heard {
        self.write_as(by, path, &Uuid::new_v4().to_string(), body).await
    }

    pub async fn write_as(&self, by: &Platform, path: &str, key: &str, body: &Value) -> Heard {
        write_at(&self.world, by, path, key, body).await
    }

    /// A submission that is taken.
    pub async fn submit(&self, by: &Platform, claim: &Value) -> Value {
        let heard = self.write(by, DESK, claim).await;
        assert_eq!(heard.http, 202, "{}", heard.text());
        let one = heard.json();
        assert!(heard.location.unwrap().ends_with(&format!("{DESK}/{}", id(&one))));
        one
    }

    /// A submission that is taken and counts.
    pub async fn register(&self, by: &Platform, claim: &Value) -> Value {
        let one = self.submit(by, claim).await;
        self.until(by, &one, "CONFIRMED").await
    }

    /// What is done to a registration.
    pub async fn act(&self, by: &Platform, one: &Value, what: &str, wish: Value) -> Heard {
        self.write(by, &format!("{DESK}/{}/{what}", id(one)), &wish).await
    }

    pub async fn show(&self, by: &Platform, one: &Value) -> Value {
        let heard = self.world.get(by, &format!("{DESK}/{}", id(one)), &[]).await;
        assert_eq!(heard.http, 200, "{}", heard.text());
        heard.json()
    }

    /// Waits until it is in that state.
    pub async fn until(&self, by: &Platform, one: &Value, state: &str) -> Value {
        self.until_shown(by, one, |shown| shown["state"] == state).await
    }

    pub async fn until_shown(&self, by: &Platform, one: &Value, fits: impl Fn(&Value) -> bool) -> Value {
        let mut shown = Value::Null;
        for _ in 0..400 {
            shown = self.show(by, one).await;
            if fits(&shown) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it came no further than {shown}");
    }

    /// The ids of one's own, by a filter.
    pub async fn list(&self, by: &Platform, query: &str) -> Vec<String> {
        let heard = self.world.get(by, &format!("{DESK}{query}"), &[]).await;
        assert_eq!(heard.http, 200, "{}", heard.text());
        let list = heard.json();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|one| id(one).to_owned()).collect()
    }

    /// A person at the hub decides.
    pub async fn decide(&self, one: &Value, what: &str) -> Value {
        let path = format!("{KEYS}/{}/{what}", id(one));
        let (status, decided) = self
            .world
            .operate(Method::POST, &path, Some(json!({"reason": "seen"})))
            .await;
        assert_eq!(status, 200, "{decided}");
        decided
    }
}

/// A write at one of several processes.
pub async fn write_at(world: &World, by: &Platform, path: &str, key: &str, body: &Value) -> Heard {
    let headers = [("Idempotency-Key", key)];
    world.call(by, Method::POST, path, &headers, &body.to_string()).await
}
