//! The life of a key and what it does to CDRs: key-registry.md 2, 4.2 to 4.6, told over the doors.

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::metering::key::Curve;
use truewatt::metering::sign::SigningMeter;
use truewatt::ocpi::ids::PartyId;
use truewatt::registry::checks::NewKey;
use truewatt::registry::lifecycle::State;
use truewatt::registry::log::checkpoint::Checkpoint;
use truewatt::registry::proof::{self, Against};
use truewatt::registry::record::Reason;
use truewatt::registry::{Actor, Declined, Submitted, Wish};

use crate::common::listed::{Heard, Platform};
use crate::on_both;
use crate::peer::Peer;
use crate::world::{World, at, cdr, meter, new_key, signed, signed_data};

const KEYS: &str = "/operator/v1/keys";

fn claim(meter: &SigningMeter) -> Value {
    json!({
        "public_key": hex::encode(meter.public_key().to_spki_der()),
        "meter_serial": "M1",
        "evse_id": "DE*ABC*E1",
        "cpo": {"country_code": "DE", "party_id": "ABC"},
        "valid_from": "2026-01-01T00:00:00Z",
    })
}

fn with(mut claim: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        claim[name] = value.clone();
    }
    claim
}

struct Street {
    world: World,
    cpo: Platform,
    other: Platform,
    _emsp: Peer,
}

impl Street {
    async fn of(world: World) -> Street {
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let other = world.platform(&["DE/XYZ:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        Street {
            world,
            cpo,
            other,
            _emsp: emsp,
        }
    }

    async fn register(&self, claim: Value) -> Value {
        let (status, key) = self.world.operate(Method::POST, KEYS, Some(claim)).await;
        assert_eq!(status, 201, "{key}");
        key
    }

    async fn act(&self, key: &Value, what: &str, wish: Option<Value>) -> (u16, Value) {
        let path = format!("{KEYS}/{}/{what}", key["id"].as_str().unwrap());
        self.world.operate(Method::POST, &path, wish).await
    }

    async fn post(&self, body: &str) -> Heard {
        self.world.post(&self.cpo, body).await
    }

    async fn report(&self, id: &str) -> Value {
        self.world
            .get(&self.cpo, &format!("/partner/v1/cdrs/DE/ABC/{id}/report"), &[])
            .await
            .json()
    }

    async fn recheck(&self, id: &str) {
        let (status, problem) = self
            .world
            .operate(Method::POST, &format!("/operator/v1/cdrs/DE/ABC/{id}/recheck"), None)
            .await;
        assert!(status < 300, "{problem}");
    }

    async fn public(&self, path: &str) -> Value {
        let heard = self.world.anybody(path).await;
        assert_eq!(
            (heard.http, heard.header("access-control-allow-origin")),
            (200, Some("*")),
            "{path}"
        );
        heard.json()
    }
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}

/// The session of `signed`, moved to another day of that week.
fn on_day(body: &str, day: u32) -> String {
    body.replace("2026-11-21T", &format!("2026-11-{day:02}T"))
}

pub fn signed_on(id: &str, meter: &SigningMeter, day: u32) -> String {
    // The day is under the signature as well.
    let data = |text: String| on_day(&text, day);
    let record = |number: u32, marker: &str, hour: u32, value: &str| {
        meter.ocmf(&data(format!(
            r#"{{"FV":"1.0","MS":"M1","PG":"T{number}","ID":"04AA","RD":[{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        )))
    };
    let value = |nature: &str, record: String| json!({"nature": nature, "plain_data": "", "signed_data": record});
    let data = json!({
        "encoding_method": "OCMF",
        "public_key": hex::encode(meter.public_key().to_spki_der()),
        "signed_values": [
            value("Start", record(2 * day, "B", 9, "10.000")),
            value("End", record(2 * day + 1, "E", 10, "17.500")),
        ],
    });
    on_day(&cdr(id, "DE/MSP", &data.to_string(), ""), day)
}

on_both! {
    // SAF-31, SAF-32: nothing is confirmed that cannot be read back.
    async fn saf_32_a_key_that_nobody_can_read_is_published_and_does_not_count(on) {
        let mut world = World::start_unreachable(on).await?;
        world.site.hub.url = world.site.hub.bound.clone();
        let street = Street::of(world).await;
        let meter = meter("mine");
        let key = street.register(claim(&meter)).await;
        assert_eq!((&key["state"], &key["confirmed_at"]), (&json!("PUBLISHED"), &Value::Null));
        let shown = street.public(&format!("/keys/{}", key["fingerprint"].as_str().unwrap())).await;
        assert_eq!(shown["registrations"][0]["state"], "PUBLISHED");
        assert_eq!(
            street.post(&signed("C-1", &meter, 1)).await.message,
            "thanks; metering INTEGRITY_ONLY: KEY_NOT_YET_CONFIRMED"
        );
        assert_eq!(street.act(&key, "deactivate", None).await.0, 409, "the diagram has no such arrow");
        Some(())
    }

    // SAF-11, SAF-40, CAL-IF06.
    async fn cal_if06_everybody_reads_a_key_in_every_form_and_its_history_for_ever(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let meter = meter("mine");
        let key = street.register(claim(&meter)).await;
        let fingerprint = key["fingerprint"].as_str().unwrap();
        let spki = hex::encode(meter.public_key().to_spki_der());
        assert_eq!(street.world.anybody(&format!("/keys/{fingerprint}.hex")).await.text(), spki);
        assert!(street.world.anybody(&format!("/keys/{fingerprint}.pem")).await.text().starts_with("-----BEGIN PUBLIC KEY-----\nMFkw"));
        assert_eq!(street.public(&format!("/keys/{fingerprint}.json")).await["public_key"], spki);
        for nothing in ["/keys/00", "/keys/../..", &format!("/keys/{fingerprint}.exe")] {
            assert_eq!(street.world.anybody(nothing).await.http, 404, "{nothing}");
        }
        street.world.clock.set(at("2026-11-22T12:00:00Z"));
        let (status, ended) = street.act(&key, "deactivate", Some(json!({"at": "2026-11-22T08:00:00Z"}))).await;
        assert_eq!((status, &ended["valid_to"]), (200, &json!("2026-11-22T08:00:00Z")));
        let found = |question: &str| {
            let path = format!("/keys?evse_id=DEABCE1&{question}");
            let street = &street;
            async move { street.public(&path).await["registrations"].as_array().unwrap().len() }
        };
        assert_eq!(found("at=2026-11-22T07:59:59Z").await, 1);
        assert_eq!(found("at=2026-11-22T08:00:00Z").await, 0);
        // What it knew before it was told: bitemporal.
        assert_eq!(found("at=2026-11-22T09:00:00Z&known_at=2026-11-22T11:00:00Z").await, 1);
        assert_eq!(found("at=2026-11-22T09:00:00Z&known_at=2026-11-21T11:00:00Z").await, 0);
        let history = street.public(&format!("/keys/{fingerprint}/history")).await;
        let states: Vec<_> = history["versions"].as_array().unwrap().iter().map(|one| one["registration"]["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["PUBLISHED", "CONFIRMED", "DEACTIVATED"]);
        let csv = street.world.anybody("/keys/export.csv").await.text();
        assert!(csv.lines().count() == 2 && csv.contains(fingerprint), "{csv}");
        assert_eq!(street.public("/keys/export.json").await["registrations"].as_array().unwrap().len(), 1);
        Some(())
    }

    // SAF-50, SAF-51, SAF-52: no time without a key, also when the registry hears of it a day later.
    async fn a_meter_replaced_within_the_week_verifies_before_and_after_also_when_told_a_day_later(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let (old, new) = (meter("old"), meter("new"));
        let first = street.register(with(claim(&old), json!({"valid_from": "2026-11-01T00:00:00Z"}))).await;
        // Replaced on the 23rd at noon; sessions go on.
        street.world.clock.set(at("2026-11-25T12:00:00Z"));
        assert_eq!(street.post(&signed_on("C-22", &old, 22)).await.message, "thanks");
        let message = street.post(&signed_on("C-24", &new, 24)).await.message;
        assert_eq!(message, "thanks; metering INVALID: SIGNATURE_MISMATCH, KEY_CONFLICT");
        // Told on the 26th.
        street.world.clock.set(at("2026-11-26T12:00:00Z"));
        let replacement = with(claim(&new), json!({"reason": "REPLACEMENT", "valid_from": "2026-11-23T12:00:00Z"}));
        let second = street.register(replacement).await;
        assert_eq!((&second["state"], &second["supersedes"]), (&json!("CONFIRMED"), &first["id"]));
        let (_, closed) = street.world.operate(Method::GET, &format!("{KEYS}/{}", first["id"].as_str().unwrap()), None).await;
        assert_eq!(
            (&closed["state"], &closed["valid_to"], &closed["superseded_by"]),
            (&json!("SUPERSEDED"), &json!("2026-11-23T12:00:00Z"), &second["id"])
        );
        street.recheck("C-24").await;
        let report = street.report("C-24").await;
        assert_eq!((&report["status"], codes(&report)), (&json!("VERIFIED"), vec!["VERIFIED_KEY_LATER_PUBLISHED"]));
        assert!(report["key"]["known_at"].as_str().unwrap().starts_with("2026-11-26T12:00:00."), "{report}");
        street.recheck("C-22").await;
        assert_eq!(street.report("C-22").await["status"], "VERIFIED", "before, the old key stays right");
        assert_eq!(street.post(&signed_on("C-23", &old, 23)).await.message, "thanks");
        assert_eq!(street.post(&signed_on("C-25", &old, 25)).await.message, "thanks; metering INVALID: SIGNATURE_MISMATCH, KEY_CONFLICT");
        Some(())
    }

    // SAF-52, 4.6: KEY_CHANGED_DURING_SESSION.
    async fn a_key_changed_in_the_middle_of_a_session_is_named(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let (old, new) = (meter("old"), meter("new"));
        street.register(claim(&old)).await;
        street.register(with(claim(&new), json!({"reason": "FIRMWARE", "valid_from": "2026-11-21T09:30:00Z"}))).await;
        let message = street.post(&signed("C-1", &old, 1)).await.message;
        assert!(message.contains("INVALID") && message.contains("KEY_CHANGED_DURING_SESSION"), "{message}");
        Some(())
    }

    // PC-08, SAF-41, SAF-53, SAF-54.
    async fn one_meter_claimed_by_two_operators_is_the_firsts_until_it_is_taken_over(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let meter = meter("mine");
        let first = street.register(claim(&meter)).await;
        let theirs = with(claim(&meter), json!({"evse_id": "DE*XYZ*E1", "cpo": {"country_code": "DE", "party_id": "XYZ"}}));
        let (status, problem) = street.world.operate(Method::POST, KEYS, Some(theirs.clone())).await;
        assert_eq!(status, 409, "{problem}");
        assert_eq!(problem["findings"][0]["code"], "KEY_ACTIVE_ELSEWHERE");
        let body = |id: &str, page| {
            cdr(id, "DE/MSP", &signed_data(&meter, page, Some(&meter)), "")
                .replace("\"party_id\":\"ABC\"", "\"party_id\":\"XYZ\"")
                .replace("DE*ABC*E1", "DE*XYZ*E1")
        };
        let heard = street.world.post(&street.other, &body("X-1", 1)).await;
        assert!(heard.message.contains("INVALID: KEY_FOR_OTHER_CPO"), "{}", heard.message);
        // Taken over at half past eight that day: its records from nine on are the new operator's.
        let taken = with(theirs, json!({"reason": "TAKE_OVER", "valid_from": "2026-11-21T08:30:00Z"}));
        let taken = street.register(taken).await;
        assert_eq!(taken["supersedes"], first["id"]);
        let heard = street.world.post(&street.other, &body("X-2", 2)).await;
        assert_eq!(heard.message, "thanks", "verified under the new operator");
        assert_eq!(street.post(&signed_on("C-20", &meter, 20)).await.message, "thanks", "verified under the old one");
        let message = street.post(&signed("C-21", &meter, 3)).await.message;
        assert!(message.contains("KEY_FOR_OTHER_CPO") || message.contains("KEY_DEACTIVATED_AT_TIME"), "{message}");
        Some(())
    }

    // SAF-30, SAF-54, PC-05, PC-20: what a party submits waits where a person or another party must speak first.
    async fn a_partys_submission_waits_for_a_person_and_a_take_over_for_the_release(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let registry = &street.world.hub.registry;
        let party = |text: &str| PartyId::from_slash(text).unwrap();
        let claim = |key: &SigningMeter, cpo: &str, reason| NewKey {
            evse_id: format!("{}*E1", cpo.replace('/', "*")),
            cpo: party(cpo),
            reason,
            ..new_key(key)
        };
        let (abc, xyz) = (Actor::Party(party("DE/ABC")), Actor::Party(party("DE/XYZ")));
        let state = |id: &str| registry.latest(id).unwrap().state;
        let new = |submitted: Submitted| match submitted {
            Submitted::New(one) => *one,
            other => panic!("{other:?}"),
        };
        let old_curve = SigningMeter::from_seed(Curve::Secp192r1, b"old").unwrap();
        let held = new(registry.submit(claim(&old_curve, "DE/ABC", Reason::Commissioning), &abc).await.unwrap());
        assert_eq!(held.state, State::OnHold);
        assert!(matches!(registry.wish(&held.id, &Wish::Withdraw, &xyz).await, Err(Declined::Unknown)), "it is none of their business");
        registry.wish(&held.id, &Wish::Withdraw, &abc).await.unwrap();
        let held = new(registry.submit(claim(&old_curve, "DE/ABC", Reason::Commissioning), &abc).await.unwrap());
        let key = json!({"id": held.id});
        assert_eq!(street.act(&key, "accept", Some(json!({}))).await.0, 422, "not without a reason");
        let (status, accepted) = street.act(&key, "accept", Some(json!({"reason": "an Alfen"}))).await;
        assert_eq!((status, &accepted["state"], &accepted["note"]), (200, &json!("CONFIRMED"), &json!("an Alfen")));
        assert_eq!(street.act(&key, "refuse", Some(json!({"reason": "too late"}))).await.0, 409);

        let stranger = registry.submit(claim(&meter("mine"), "DE/ABC", Reason::Commissioning), &xyz).await.unwrap();
        assert!(matches!(stranger, Submitted::Refused(_, findings) if findings.iter().any(|one| one.code == "NOT_ENTITLED")));
        let waiting = new(registry.submit(claim(&old_curve, "DE/XYZ", Reason::TakeOver), &xyz).await.unwrap());
        assert_eq!(waiting.state, State::Submitted, "SAF-54");
        registry.wish(&held.id, &Wish::Release(party("DE/XYZ")), &abc).await.unwrap();
        // Released, and a person has to look at the old curve all the same.
        assert_eq!(state(&waiting.id), State::OnHold);
        street.act(&json!({"id": waiting.id}), "accept", Some(json!({"reason": "as before"}))).await;
        assert_eq!((state(&waiting.id), state(&held.id)), (State::Confirmed, State::Superseded));
        Some(())
    }

    // SAF-34.
    async fn exchanged_hardware_is_a_version_and_no_interruption(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let key = street.register(claim(&meter("mine"))).await;
        let (status, after) = street.act(&key, "hardware", Some(json!({"manufacturer": "ACME", "model": "Post 2"}))).await;
        assert_eq!((status, &after["state"], &after["model"]), (200, &json!("CONFIRMED"), &json!("Post 2")));
        assert_eq!((&after["valid_from"], &after["valid_to"], &after["meter_serial"]), (&key["valid_from"], &Value::Null, &json!("M1")));
        assert_eq!(street.act(&key, "hardware", Some(json!({"meter_serial": "M2"}))).await.0, 422);
        Some(())
    }

    // CAL-IF09.
    async fn cal_if09_a_printed_key_is_compared_in_six_spellings(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let meter = meter("mine");
        street.register(claim(&meter)).await;
        let spki = hex::encode(meter.public_key().to_spki_der());
        let point = hex::encode(meter.public_key().sec1_uncompressed());
        let spaced: String = point.chars().enumerate().flat_map(|(at, one)| if at % 4 == 0 { vec![' ', one] } else { vec![one] }).collect();
        let pem = street.world.anybody(&format!("/keys/{}.pem", meter.public_key().fingerprint())).await.text();
        for text in [spki.clone(), spki.to_uppercase(), format!("0x{spki}"), point.clone(), spaced, pem] {
            let (status, answer) = street.world.operate(Method::POST, "/keys/compare", Some(json!({"public_key": text, "evse_id": "DE*ABC*E1"}))).await;
            assert_eq!((status, &answer["agrees"]), (200, &json!(true)), "{text}: {answer}");
        }
        let other = hex::encode(crate::world::meter("other").public_key().to_spki_der());
        let (_, answer) = street.world.operate(Method::POST, "/keys/compare", Some(json!({"public_key": other, "evse_id": "DE*ABC*E1"}))).await;
        assert_eq!(answer["agrees"], json!(false));
        Some(())
    }

    // key-registry.md 4.3.
    async fn the_log_proves_itself_and_whoever_kept_a_checkpoint_notices_another_log(on) {
        let street = Street::of(World::start(on, "").await?).await;
        street.register(claim(&meter("mine"))).await;
        let (_, early) = street.world.operate(Method::POST, "/operator/v1/keys/checkpoint", None).await;
        let early: Checkpoint = serde_json::from_value(early).unwrap();
        assert!(early.is_signed() && early.origin == "DE/TWH");
        let second = with(claim(&meter("other")), json!({"meter_serial": "M2", "evse_id": "DE*ABC*E2"}));
        street.register(second).await;
        let (_, late) = street.world.operate(Method::POST, "/operator/v1/keys/checkpoint", None).await;
        let late: Checkpoint = serde_json::from_value(late).unwrap();
        assert!(late.size > early.size && late.key == early.key);
        let proof = street.public(&format!("/keys/log/consistency?from={}&to={}", early.size, late.size)).await;
        assert_eq!((&proof["from_root"], &proof["to_root"]), (&json!(early.root), &json!(late.root)));
        let entry = street.public(&format!("/keys/log/proof?seq=2&size={}", late.size)).await;
        let path: Vec<[u8; 32]> = entry["path"].as_array().unwrap().iter()
            .map(|one| hex::decode(one.as_str().unwrap()).unwrap().try_into().unwrap()).collect();
        let root = late.root_hash().unwrap();
        assert!(truewatt::registry::log::tree::includes(&root, late.size, 2, entry["entry"].as_str().unwrap(), &path));
        let verified = proof::verify(&street.world.hub.store).await.unwrap();
        assert_eq!((verified.bad, verified.entries), (None, late.size));
        assert_eq!(proof::against(&early, &verified.tree), Against::Agrees);
        let another = Street::of(World::start(on, "").await?).await;
        another.register(claim(&meter("mine"))).await;
        let other = proof::verify(&another.world.hub.store).await.unwrap();
        assert_eq!(proof::against(&late, &other.tree), Against::SetBack);
        assert_eq!(proof::against(&early, &other.tree), Against::Rewritten);
        Some(())
    }

    async fn what_was_registered_before_the_log_counts_as_before_and_is_in_it(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let meter = meter("mine");
        let spki = hex::encode(meter.public_key().to_spki_der());
        for (id, serial, evse, ended) in [
            ("0190-a", "M1", "DE*ABC*E1", "NULL"),
            // Ended on 2026-06-01T00:00:00Z.
            ("0190-b", "M2", "DE*ABC*E2", "1780272000000000"),
        ] {
            let fingerprint = meter.public_key().fingerprint();
            street.world.execute(&format!(
                "INSERT INTO keys (id, claim, fingerprint, curve, spki_hex, meter_serial, evse_id, cpo_key, valid_from, calibrated, state, \
                 created_at, deactivated_at) VALUES ('{id}', '{id}', '{fingerprint}', 'secp256r1', '{spki}', '{serial}', '{evse}', 'DE/ABC', \
                 1767225600000000, 1, 'X', 1767225600000000, {ended})"
            )).await;
        }
        // The program that knows the log starts.
        let next = street.world.beside().await;
        let (_, list) = next.operate(Method::GET, KEYS, None).await;
        let states: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| (&one["state"], &one["valid_to"])).collect();
        assert_eq!(states, [(&json!("CONFIRMED"), &Value::Null), (&json!("DEACTIVATED"), &json!("2026-06-01T00:00:00Z"))]);
        assert_eq!(next.post(&street.cpo, &signed("C-1", &meter, 1)).await.message, "thanks");
        let log = next.anybody("/keys/log").await.json();
        let events: Vec<Value> = log["entries"].as_array().unwrap().iter()
            .map(|one| serde_json::from_str::<Value>(one["entry"].as_str().unwrap()).unwrap()["event"].clone()).collect();
        assert_eq!(events, ["KEY_SEEN", "ADOPTED", "ADOPTED", "DEACTIVATED"]);
        assert_eq!(proof::verify(&next.hub.store).await.unwrap().bad, None);
        // A third start finds nothing left to enter.
        assert_eq!(street.world.beside().await.anybody("/keys/log").await.json()["entries"].as_array().unwrap().len(), 4);
        Some(())
    }

    async fn what_one_process_confirmed_another_shows_and_what_both_claim_is_one(on) {
        let street = Street::of(World::start(on, "").await?).await;
        let beside = street.world.beside().await;
        let meter = meter("mine");
        let claims = (0..4).map(|n| {
            let world = if n % 2 == 0 { &street.world } else { &beside };
            world.operate(Method::POST, KEYS, Some(claim(&meter)))
        });
        let answers = futures_util::future::join_all(claims).await;
        let ids: std::collections::HashSet<_> = answers.iter().map(|(_, key)| key["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), 1, "PC-09: {answers:?}");
        assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
        let shown = beside.anybody(&format!("/keys/{}", meter.public_key().fingerprint())).await.json();
        assert_eq!(shown["registrations"][0]["state"], "CONFIRMED");
        assert_eq!(proof::verify(&beside.hub.store).await.unwrap().bad, None);
        Some(())
    }
}
