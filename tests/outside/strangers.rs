//! Every route of the partner API, from the table of what is served, asked by somebody whose object it is not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;
use truewatt::metering::key::Curve;
use truewatt::metering::sign::SigningMeter;
use truewatt::ocpi::ids::{PartyId, key_of};
use truewatt::profiles::Session;
use truewatt::profiles::session::Active;
use truewatt::store::ControlRow;
use truewatt::web::{Document, routes};

use crate::common::listed::{Heard, Platform, bare};
use crate::common::site::Site;
use crate::on_both;

const WAIVER: &str = "0b0e1f6e-58a1-4c4d-9d4e-4a8ad4b5a001";

/// What a stranger hears.
#[derive(Clone, Copy, Debug)]
enum Hears {
    /// 404: not even that it exists.
    Nothing,
    /// This status, and what there is of others' is not in the answer.
    Refused(u16),
    /// 200, and a list or file without it.
    NothingOfIt,
    /// The id is one of the caller's own: something new of its own is made under it, beside the other's.
    ItsOwn,
}
use Hears::{ItsOwn, Nothing, NothingOfIt, Refused};

/// One line for every route; a route without one fails the test, and so does a line without a route.
fn contract() -> BTreeMap<&'static str, (Hears, Value)> {
    let none = Value::Null;
    let claim = || claim(&meter("the stranger's"));
    BTreeMap::from([
        (
            "GET /partner/v1/cdrs/{country_code}/{party_id}/{id}/report",
            (Nothing, none.clone()),
        ),
        (
            "GET /partner/v1/cdrs/{country_code}/{party_id}/{id}/delivery",
            (Nothing, none.clone()),
        ),
        (
            "GET /partner/v1/cdrs/{country_code}/{party_id}/{id}/transparency.xml",
            (Nothing, none.clone()),
        ),
        (
            "GET /partner/v1/cdrs/{country_code}/{party_id}/{id}/transparency.json",
            (Nothing, none.clone()),
        ),
        (
            "GET /partner/v1/cdrs/{country_code}/{party_id}/{id}/transparency.raw",
            (Nothing, none.clone()),
        ),
        (
            "GET /partner/v1/sessions/{country_code}/{party_id}/{session_id}/profile",
            (Nothing, none.clone()),
        ),
        ("GET /partner/v1/transparency", (NothingOfIt, none.clone())),
        ("GET /partner/v1/reports", (NothingOfIt, none.clone())),
        ("GET /partner/v1/registrations", (NothingOfIt, none.clone())),
        ("GET /partner/v1/registrations/{id}", (Nothing, none.clone())),
        ("GET /partner/v1/registrations/{id}/extract", (Nothing, none.clone())),
        (
            "GET /partner/v1/registrations/{id}/evidence/{hash}",
            (Nothing, none.clone()),
        ),
        ("POST /partner/v1/registrations", (Refused(422), claim())),
        ("POST /partner/v1/registrations/{id}/replace", (Nothing, claim())),
        (
            "POST /partner/v1/registrations/{id}/reassign",
            (Nothing, json!({"evse_id": "DE*XYZ*E1", "at": "2026-11-21T12:00:00Z"})),
        ),
        ("POST /partner/v1/registrations/{id}/correct", (Nothing, claim())),
        ("POST /partner/v1/registrations/{id}/withdraw", (Nothing, json!({}))),
        ("POST /partner/v1/registrations/{id}/deactivate", (Nothing, json!({}))),
        (
            "POST /partner/v1/registrations/{id}/release",
            (Nothing, json!({"to": {"country_code": "DE", "party_id": "XYZ"}})),
        ),
        (
            "POST /partner/v1/registrations/{id}/exchange",
            (Nothing, json!({"model": "Post 2"})),
        ),
        (
            "POST /partner/v1/registrations/{id}/evidence",
            (
                Nothing,
                json!({"name": "protocol.txt", "media_type": "text/plain", "content": "c3RyYW5nZXI="}),
            ),
        ),
        ("GET /partner/v1/waivers", (NothingOfIt, none.clone())),
        ("GET /partner/v1/waivers/{id}", (Nothing, none.clone())),
        (
            "PUT /partner/v1/waivers/{id}",
            (ItsOwn, json!({"scope": {"all": true}, "from": "2026-11-21T00:00:00Z"})),
        ),
        ("GET /partner/v1/observations", (NothingOfIt, none.clone())),
        (
            "POST /partner/v1/observations",
            (
                Refused(422),
                json!({"evse_id": "DE*ABC*E1", "source": "OCPP", "public_key": key(&meter("heard"))}),
            ),
        ),
        ("GET /partner/v1/conformity", (NothingOfIt, none)),
    ])
}

fn meter(seed: &str) -> SigningMeter {
    SigningMeter::from_seed(Curve::Secp256r1, seed.as_bytes()).unwrap()
}

fn key(meter: &SigningMeter) -> String {
    hex::encode(meter.public_key().to_spki_der())
}

/// A meter of DE/ABC, whoever says so.
fn claim(meter: &SigningMeter) -> Value {
    json!({
        "public_key": key(meter), "key_pair": "GENERATED", "meter_serial": "M1", "manufacturer": "ACME", "model": "Post 1",
        "evse_id": "DE*ABC*E1", "valid_from": "2026-01-01T00:00:00Z",
    })
}

struct Town {
    site: Site,
    cpo: Platform,
    emsp: Platform,
    /// Operator and provider, neither of them a party to anything here.
    stranger: Platform,
    registration: String,
    evidence: String,
}

impl Town {
    async fn write(&self, by: &Platform, method: Method, path: &str, body: &Value) -> Heard {
        let key = uuid::Uuid::new_v4().to_string();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.site
            .call(by, method, path, &[("Idempotency-Key", &key)], &body)
            .await
    }

    /// What the two parties see of what is theirs.
    async fn theirs(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for (by, path) in [
            (&self.cpo, format!("/partner/v1/registrations/{}", self.registration)),
            (&self.cpo, "/partner/v1/registrations".to_owned()),
            (&self.cpo, "/partner/v1/observations".to_owned()),
            (&self.cpo, "/partner/v1/reports".to_owned()),
            (&self.emsp, "/partner/v1/waivers".to_owned()),
            (&self.emsp, "/partner/v1/reports".to_owned()),
        ] {
            let heard = self.site.call(by, Method::GET, &path, &[], "").await;
            assert_eq!(heard.http, 200, "{path}: {}", heard.text());
            seen.push(heard.text());
        }
        seen
    }
}

async fn town(site: Site) -> Town {
    let mut town = Town {
        cpo: site.list(bare(&["DE/ABC:CPO"])).await,
        emsp: site.list(bare(&["DE/MSP:EMSP"])).await,
        stranger: site.list(bare(&["DE/XYZ:CPO", "DE/XYZ:EMSP"])).await,
        registration: String::new(),
        evidence: String::new(),
        site,
    };
    let record = |meter: &SigningMeter, number: u32, marker: &str, hour: u32, value: &str| {
        meter.ocmf(&format!(
            r#"{{"FV":"1.0","MS":"M1","PG":"T{number}","ID":"04AA","RD":[{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ))
    };
    let own = meter("own");
    let value = |nature: &str, record: String| json!({"nature": nature, "plain_data": "", "signed_data": record});
    let cdr = json!({
        "country_code": "DE", "party_id": "ABC", "id": "C-1",
        "start_date_time": "2026-11-21T09:00:00Z", "end_date_time": "2026-11-21T10:00:00Z",
        "cdr_token": {"country_code": "DE", "party_id": "MSP", "uid": "04AA", "type": "RFID", "contract_id": "C1"},
        "auth_method": "WHITELIST", "cdr_location": {"id": "L1", "evse_uid": "1", "evse_id": "DE*ABC*E1"}, "meter_id": "M1",
        "currency": "EUR", "total_cost": {"excl_vat": 1}, "total_energy": 7.5, "last_updated": "2026-11-21T10:00:01Z",
        "signed_data": {"encoding_method": "OCMF", "public_key": key(&own), "signed_values": [
            value("Start", record(&own, 2, "B", 9, "10.000")), value("End", record(&own, 3, "E", 10, "17.500"))]},
    });
    let posted = town
        .write(&town.cpo, Method::POST, "/ocpi/2.2.1/receiver/cdrs", &cdr)
        .await;
    assert_eq!(posted.http, 201, "{}", posted.text());
    let submitted = town
        .write(&town.cpo, Method::POST, "/partner/v1/registrations", &claim(&own))
        .await;
    assert_eq!(submitted.http, 202, "{}", submitted.text());
    town.registration = submitted.json()["id"].as_str().unwrap().to_owned();
    let paper = json!({"name": "protocol.txt", "media_type": "text/plain", "content": "aGFuZGVkIG92ZXI="});
    let path = format!("/partner/v1/registrations/{}/evidence", town.registration);
    let laid = town.write(&town.cpo, Method::POST, &path, &paper).await;
    assert_eq!(laid.http, 201, "{}", laid.text());
    town.evidence = laid.location.unwrap().rsplit('/').next().unwrap().to_owned();
    let waiver = json!({"scope": {"contract_id": "C1"}, "from": "2026-11-21T00:00:00Z"});
    let waived = town
        .write(
            &town.emsp,
            Method::PUT,
            &format!("/partner/v1/waivers/{WAIVER}"),
            &waiver,
        )
        .await;
    assert_eq!(waived.http, 201, "{}", waived.text());
    let mut session = Session::new(&PartyId::from_slash("DE/ABC").unwrap(), "S-1");
    session.emsp = PartyId::from_slash("DE/MSP").ok();
    session.active = Some(Active {
        profile: r#"{"start_date_time":"2026-11-21T12:00:00Z"}"#.to_owned(),
        at: "2026-11-21T12:00:00Z".parse().unwrap(),
    });
    let row = ControlRow {
        cpo_key: "DE/ABC".to_owned(),
        session_key: key_of("S-1").unwrap(),
        id: "a session".to_owned(),
        revision: 1,
        is_steered: false,
        is_over: false,
        document: serde_json::to_string(&session).unwrap(),
        expires_at: "2026-12-21T12:00:00Z".parse().unwrap(),
        copy: None,
        copy_until: "2026-12-21T12:00:00Z".parse().unwrap(),
    };
    assert!(town.site.hub.store.control_put(row, None, Vec::new()).await.unwrap());
    let heard = json!({"evse_id": "DE*ABC*E2", "source": "OCPP", "public_key": key(&meter("unregistered"))});
    let noted = town
        .write(&town.cpo, Method::POST, "/partner/v1/observations", &heard)
        .await;
    assert_eq!(noted.http, 200, "{}", noted.text());
    // What the CDR named is noted a moment later: until then a change would be nobody's doing.
    for _ in 0..200 {
        let noted = town
            .site
            .call(&town.cpo, Method::GET, "/partner/v1/observations", &[], "")
            .await;
        if noted.json()["items"].as_array().is_some_and(|items| items.len() == 2) {
            return town;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("what the CDR named was never noted");
}

on_both! {
    // design.md 3.4, N-05, SAF-21, PC-20: a party reads and writes its own, and of all else it learns not even whether it exists
    async fn no_partner_route_is_for_another_partys_object(on) {
        let served: Vec<_> = routes()
            .into_iter()
            .filter(|route| route.document == Document::Partner && route.path.starts_with("/partner"))
            .map(|route| (route.method.as_str().to_owned(), route.path.into_owned()))
            .collect();
        let contract = contract();
        let named: Vec<String> = served.iter().map(|(method, path)| format!("{method} {path}")).collect();
        let forgotten: Vec<_> = named.iter().filter(|line| !contract.contains_key(line.as_str())).collect();
        assert!(forgotten.is_empty(), "no line about what a stranger hears: {forgotten:?}");
        let gone: Vec<_> = contract.keys().filter(|line| !named.iter().any(|name| name == *line)).collect();
        assert!(gone.is_empty(), "not served: {gone:?}");

        let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
        let town = town(Site::open(on.place().await?, "", clock).await).await;
        let before = town.theirs().await;
        // Nothing of theirs may be in an answer to a stranger.
        let own = key(&meter("own"));
        let theirs = ["C-1", "04AA", "aGFuZGVkIG92ZXI=", town.registration.as_str(), &own, "DE*ABC*E2"];
        let mut wrong = Vec::new();
        for (method, template) in &served {
            let line = format!("{method} {template}");
            let (hears, body) = &contract[line.as_str()];
            let path = template
                .replace("/registrations/{id}", &format!("/registrations/{}", town.registration))
                .replace("/waivers/{id}", &format!("/waivers/{WAIVER}"))
                .replace("{country_code}", "DE")
                .replace("{party_id}", "ABC")
                .replace("{id}", "C-1")
                .replace("{session_id}", "S-1")
                .replace("{hash}", &town.evidence);
            let method: Method = method.parse().unwrap();
            let nobody = town.site.send(method.clone(), &path, Vec::new(), None).await;
            if nobody.status != 401 {
                wrong.push(format!("{line}: without a token {}", nobody.status));
            }
            let heard = town.write(&town.stranger, method.clone(), &path, body).await;
            let expected = match hears {
                Nothing => 404,
                Refused(status) => *status,
                NothingOfIt => 200,
                ItsOwn => 201,
            };
            let text = heard.text();
            let repeated: Vec<_> = theirs.iter().filter(|one| text.contains(**one) && !body.to_string().contains(**one)).collect();
            if heard.http != expected || !repeated.is_empty() {
                wrong.push(format!("{line}: {} instead of {expected}, with {repeated:?}: {text}", heard.http));
            }
            // Whom it belongs to is let in: what keeps the stranger out is who he is.
            if method == Method::GET {
                let whose = if template.contains("waivers") { &town.emsp } else { &town.cpo };
                let heard = town.write(whose, method, &path, &Value::Null).await;
                if heard.http != 200 {
                    wrong.push(format!("{line}: its owner hears {}: {}", heard.http, heard.text()));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(town.theirs().await, before, "something of theirs was changed");
        Some(())
    }
}
