//! Operators register the keys of their meters themselves: key-registry.md 2, 4.2, 4.4 and 4.5, told over the partner's door.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::metering::key::Curve;
use truewatt::metering::sign::SigningMeter;
use truewatt::registry::proof;

use crate::common::site::owned;
use crate::desk::{DESK, Desk, KEYS, claim, found, id, with, write_at};
use crate::lifecycle::signed_on;
use crate::on_both;
use crate::world::{World, at, cdr, meter, signed};

on_both! {
    // SAF-11, CAL-IF17.
    async fn saf_11_cal_if17_an_operator_submits_the_keys_of_its_evses_and_follows_them(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let mut made = Vec::new();
        for number in 1..=3 {
            let unit = json!({"meter_serial": format!("M{number}"), "evse_id": format!("DE*ABC*E{number}")});
            let one = desk.submit(&desk.cpo, &with(claim(&meter(&number.to_string())), unit)).await;
            assert_eq!((&one["state"], &one["submitted_by"], &one["reason"]), (&json!("PUBLISHED"), &json!("DE/ABC"), &json!("COMMISSIONING")));
            let confirmed = desk.until(&desk.cpo, &one, "CONFIRMED").await;
            assert_eq!((&confirmed["confirmation"], &confirmed["release_asked_by"]), (&Value::Null, &json!([])));
            made.push(id(&one).to_owned());
        }
        let message = desk.world.post(&desk.cpo, &signed("C-1", &meter("1"), 1)).await.message;
        assert_eq!(message, "thanks", "and its CDRs verify");
        // Page by page, with what the hub's people registered for it; and nobody else's.
        let mut seen = Vec::new();
        let mut query = "?limit=2".to_owned();
        loop {
            let page = desk.world.get(&desk.cpo, &format!("{DESK}{query}"), &[]).await.json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|one| id(one).to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=2&cursor={next}");
        }
        assert_eq!((seen.len(), &seen[1..]), (4, &made[..]));
        assert_eq!(desk.list(&desk.cpo, "?state=CONFIRMED").await.len(), 4);
        assert!(desk.list(&desk.cpo, "?state=ON_HOLD").await.is_empty());
        assert!(desk.list(&desk.other, "").await.is_empty());
        for (query, field) in [("?state=ACTIVE", "state"), ("?awaiting=godot", "awaiting"), ("?mine=1", "mine"), ("?cursor=x", "cursor")] {
            let heard = desk.world.get(&desk.cpo, &format!("{DESK}{query}"), &[]).await;
            assert_eq!((heard.http, &heard.json()["field"]), (400, &json!(field)));
        }
        Some(())
    }

    // SAF-10.
    async fn saf_10_commissioning_names_hardware_meter_and_where_the_key_pair_came_from(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        for missing in ["manufacturer", "model", "key_pair", "meter_serial", "evse_id", "valid_from", "public_key"] {
            let heard = desk.write(&desk.cpo, DESK, &with(claim(&meter("one")), json!({missing: null}))).await;
            assert_eq!((heard.http, &heard.json()["field"]), (422, &json!(format!("/{missing}"))), "{}", heard.text());
        }
        for (member, value) in [("key_pair", json!("FOUND")), ("surprise", json!(1)), ("confirmation_url", json!(7)), ("cpo", json!("DE/ABC"))] {
            let heard = desk.write(&desk.cpo, DESK, &with(claim(&meter("one")), json!({member: value}))).await;
            assert_eq!((heard.http, &heard.json()["field"]), (422, &json!(format!("/{member}"))), "{}", heard.text());
        }
        let one = desk.register(&desk.cpo, &claim(&meter("one"))).await;
        assert_eq!((&one["key_pair"], &one["model"], &one["meter_serial"]), (&json!("GENERATED"), &json!("Post 1"), &json!("M1")));
        Some(())
    }

    async fn what_is_refused_is_told_with_every_reason_and_kept_where_a_key_could_be_read(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let private = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----";
        let heard = desk.write(&desk.cpo, DESK, &with(claim(&meter("one")), json!({"public_key": private}))).await;
        assert_eq!((heard.http, found(&heard.json()), &heard.json()["registration"]), (422, vec!["PRIVATE_KEY_SUBMITTED"], &Value::Null));
        assert!(!heard.text().contains("MIGHAgEA"));
        assert!(desk.list(&desk.cpo, "?state=REFUSED").await.is_empty());
        desk.register(&desk.cpo, &claim(&meter("one"))).await;
        for (members, code) in [
            (json!({"evse_id": "DE*ABC*E2"}), "KEY_ACTIVE_ELSEWHERE"),
            (json!({"evse_id": "DE*XYZ*E2"}), "EVSE_ID_OF_OTHER_OPERATOR"),
            (json!({"valid_from": "2027-06-01T00:00:00Z"}), "VALIDITY_TOO_FAR_AHEAD"),
        ] {
            let heard = desk.write(&desk.cpo, DESK, &with(claim(&meter("one")), members)).await;
            let problem = heard.json();
            assert_eq!((heard.http, heard.header("content-type")), (422, Some("application/problem+json")));
            assert!(found(&problem).contains(&code), "{problem}");
            let kept = desk.show(&desk.cpo, &json!({"id": problem["registration"]})).await;
            assert_eq!((&kept["state"], found(&kept).contains(&code)), (&json!("REFUSED"), true));
        }
        assert_eq!(desk.list(&desk.cpo, "?state=REFUSED").await.len(), 3);
        Some(())
    }

    // PC-20, first half.
    async fn pc_20_nobody_submits_for_another_operator(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let theirs = with(claim(&meter("one")), json!({"cpo": {"country_code": "DE", "party_id": "ABC"}}));
        let heard = desk.write(&desk.other, DESK, &theirs).await;
        assert_eq!((heard.http, found(&heard.json())), (422, vec!["NOT_ENTITLED"]));
        // Kept for who made the claim, and nothing that the named operator would find among its own.
        let kept = json!({"id": heard.json()["registration"]});
        assert_eq!(desk.show(&desk.other, &kept).await["state"], "REFUSED");
        assert_eq!(desk.world.get(&desk.cpo, &format!("{DESK}/{}", id(&kept)), &[]).await.http, 404);
        assert!(desk.list(&desk.cpo, "?state=REFUSED").await.is_empty());
        Some(())
    }

    // PC-20, second half.
    async fn pc_20_submissions_have_a_pace_for_each_party(on) {
        let desk = Desk::of(World::start(on, "[registry]\nsubmissions_per_minute = 2").await?).await;
        let one = claim(&meter("one"));
        assert_eq!(desk.write_as(&desk.cpo, DESK, "a", &one).await.http, 202);
        assert_eq!(desk.write_as(&desk.cpo, DESK, "b", &with(one.clone(), json!({"model": null}))).await.http, 422);
        let heard = desk.write_as(&desk.cpo, DESK, "c", &one).await;
        assert_eq!((heard.http, heard.header("retry-after")), (429, Some("30")), "{}", heard.text());
        assert_eq!(desk.write_as(&desk.cpo, DESK, "a", &one).await.http, 202, "a repeat is not counted");
        assert_eq!(desk.write_as(&desk.other, DESK, "c", &one).await.http, 422, "nor is it the others' pace");
        desk.world.clock.advance(TimeDelta::seconds(30));
        assert_eq!(desk.write_as(&desk.cpo, DESK, "c", &one).await.http, 200, "and a 429 used up no key");
        Some(())
    }

    // PC-18.
    async fn pc_18_a_sample_may_be_asked_of_one_platform_and_must_fit(on) {
        let desk = Desk::with_options(World::start(on, "").await?, json!({"require_sample": true})).await;
        let one = meter("one");
        let heard = desk.write(&desk.cpo, DESK, &claim(&one)).await;
        assert_eq!((heard.http, found(&heard.json())), (422, vec!["SAMPLE_MISSING"]));
        let record = |meter: &SigningMeter, serial: &str| meter.ocmf(&format!(
            r#"{{"FV":"1.0","MS":"{serial}","PG":"T1","RD":[{{"TM":"2026-11-21T09:00:00,000+0000 S","TX":"B","RV":1.0,"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ));
        for (sample, code) in [(record(&meter("two"), "M1"), "SAMPLE_DOES_NOT_FIT"), (record(&one, "M2"), "SAMPLE_OF_OTHER_METER")] {
            let heard = desk.write(&desk.cpo, DESK, &with(claim(&one), json!({"sample": sample, "encoding_method": "OCMF"}))).await;
            assert_eq!((heard.http, found(&heard.json())), (422, vec![code]));
        }
        desk.register(&desk.cpo, &with(claim(&one), json!({"sample": record(&one, "M1"), "encoding_method": "OCMF"}))).await;
        // The setting is for whom nothing was agreed with.
        let theirs = with(claim(&meter("two")), json!({"evse_id": "DE*XYZ*E1", "meter_serial": "M2"}));
        desk.register(&desk.other, &theirs).await;
        Some(())
    }

    // PC-09, key-registry.md 4.5: one answer to a request, at every process and after a restart.
    async fn the_same_request_hears_the_same_answer_everywhere_and_makes_one_registration(on) {
        let mut desk = Desk::of(World::start(on, "").await?).await;
        let beside = desk.world.beside().await;
        let one = claim(&meter("one"));
        let at_once = join_all((0..8).map(|n| {
            let world = if n % 2 == 0 { &desk.world } else { &beside };
            write_at(world, &desk.cpo, DESK, "first", &one)
        }));
        let heard = at_once.await;
        for other in &heard {
            assert_eq!((other.http, other.text()), (202, heard[0].text()));
            assert_eq!(other.location, heard[0].location);
        }
        assert_eq!(desk.list(&desk.cpo, "").await.len(), 2, "and that of the hub's people");
        let registered = desk.until(&desk.cpo, &heard[0].json(), "CONFIRMED").await;
        assert_eq!(desk.write_as(&desk.cpo, DESK, "first", &one).await.text(), heard[0].text(), "as it was told, whatever it is now");
        // Another key is another request: PC-09 finds what stands.
        let again = desk.write(&desk.cpo, DESK, &one).await;
        assert_eq!((again.http, &again.json()["id"]), (200, &registered["id"]));
        // A no is an answer too, kept as one is.
        let bad = with(one.clone(), json!({"evse_id": "nowhere"}));
        let no = desk.write_as(&desk.cpo, DESK, "no", &bad).await;
        assert_eq!((no.http, desk.write_as(&desk.cpo, DESK, "no", &bad).await.text()), (422, no.text()));
        assert_eq!(desk.list(&desk.cpo, "?state=REFUSED").await.len(), 1, "one request, one refusal");
        // Another request under a used key, by body, by path; and the same key in somebody else's hand.
        assert_eq!(desk.write_as(&desk.cpo, DESK, "first", &bad).await.http, 409);
        assert_eq!(desk.write_as(&desk.cpo, &format!("{DESK}/{}/withdraw", id(&registered)), "first", &one).await.http, 409);
        assert_eq!(desk.write_as(&desk.other, DESK, "first", &one).await.http, 422);
        // Another program.
        desk.world = World { site: desk.world.site.restarted().await, clock: desk.world.clock };
        let after = desk.write_as(&desk.cpo, DESK, "first", &one).await;
        assert_eq!((after.http, after.text(), after.location), (202, heard[0].text(), heard[0].location.clone()));
        // A week later the key is as good as new.
        desk.world.clock.advance(TimeDelta::days(8));
        assert_eq!(desk.write_as(&desk.cpo, DESK, "first", &one).await.http, 200);
        assert_eq!(proof::verify(&desk.world.hub.store).await.unwrap().bad, None);
        Some(())
    }

    async fn a_key_of_a_request_is_asked_for_and_read_strictly(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let body = claim(&meter("one")).to_string();
        let long = "x".repeat(65);
        for headers in [vec![], vec![("Idempotency-Key", "")], vec![("Idempotency-Key", long.as_str())], vec![("Idempotency-Key", "a\tb")],
            vec![("Idempotency-Key", "a"), ("Idempotency-Key", "b")]] {
            let heard = desk.world.call(&desk.cpo, Method::POST, DESK, &headers, &body).await;
            assert_eq!((heard.http, &heard.json()["field"]), (400, &json!("Idempotency-Key")), "{headers:?}");
        }
        let fine = [("Idempotency-Key", "~ a fine key !")];
        assert_eq!(desk.world.call(&desk.cpo, Method::POST, DESK, &fine, &body).await.http, 202);
        Some(())
    }

    // key-registry.md 4.5, design.md 3.4: who may, and for whom there is nothing.
    async fn every_route_is_closed_to_strangers_and_empty_for_others(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let one = desk.register(&desk.cpo, &claim(&meter("one"))).await;
        let paper = json!({"media_type": "text/plain", "name": "a", "content": "YQ=="});
        let heard = desk.act(&desk.cpo, &one, "evidence", paper.clone()).await;
        let hash = heard.json()["evidence"][0]["sha256"].as_str().unwrap().to_owned();
        let of_one = |rest: &str| format!("{DESK}/{}{rest}", id(&one));
        let routes = [
            (Method::GET, DESK.to_owned(), Value::Null),
            (Method::POST, DESK.to_owned(), claim(&meter("one"))),
            (Method::GET, of_one(""), Value::Null),
            (Method::POST, of_one("/replace"), json!({})),
            (Method::POST, of_one("/reassign"), json!({})),
            (Method::POST, of_one("/correct"), json!({})),
            (Method::POST, of_one("/withdraw"), json!({})),
            (Method::POST, of_one("/deactivate"), json!({})),
            (Method::POST, of_one("/release"), json!({"to": {"country_code": "DE", "party_id": "XYZ"}})),
            (Method::POST, of_one("/exchange"), json!({})),
            (Method::POST, of_one("/evidence"), paper),
            (Method::GET, of_one(&format!("/evidence/{hash}")), Value::Null),
            (Method::GET, of_one("/extract"), Value::Null),
        ];
        let served = truewatt::web::routes();
        assert_eq!(served.iter().filter(|route| route.path.starts_with(DESK)).count(), routes.len());
        for (method, path, body) in routes {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            for (number, token) in [None, Some("Token bm9ib2R5"), Some("Bearer operator-token")].into_iter().enumerate() {
                let key = format!("stranger {number}");
                let mut headers = owned(&[("Content-Type", "application/json"), ("Idempotency-Key", &key)]);
                headers.extend(token.map(|token| ("Authorization".to_owned(), token.to_owned())));
                let answer = desk.world.send(method.clone(), &path, headers, Some(body.as_bytes())).await;
                assert_eq!(answer.status, 401, "{method} {path} {token:?}");
            }
            let fresh = uuid::Uuid::new_v4().to_string();
            let key = [("Idempotency-Key", fresh.as_str())];
            let heard = desk.world.call(&desk.emsp, method.clone(), &path, &key, &body).await;
            assert_eq!(heard.http, 403, "{method} {path}: {}", heard.text());
            let heard = desk.world.call(&desk.other, method.clone(), &path, &key, &body).await;
            let expected = match (&method, path == DESK) {
                (&Method::GET, true) => 200,
                (_, true) => 422,
                _ => 404,
            };
            assert_eq!(heard.http, expected, "{method} {path}: {}", heard.text());
            let alien = [("Idempotency-Key", fresh.as_str()), ("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", "XYZ")];
            let heard = desk.world.call(&desk.cpo, method.clone(), &path, &alien, &body).await;
            assert!([403, 404, 422].contains(&heard.http), "{method} {path}: {}", heard.text());
        }
        let now = desk.show(&desk.cpo, &one).await;
        assert_eq!((&now["state"], &now["released_to"], &now["version"]), (&json!("CONFIRMED"), &Value::Null, &json!(5)), "nothing of it did anything");
        for nothing in [format!("{DESK}/nobody"), format!("{DESK}/%00"), of_one("/evidence/00")] {
            assert_eq!(desk.world.get(&desk.cpo, &nothing, &[]).await.http, 404, "{nothing}");
        }
        Some(())
    }

    // key-registry.md 4.2: warnings need a person, the operator's own word does not.
    async fn a_new_manufacturer_waits_for_a_person_and_is_known_from_then_on(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let of = |meter: &SigningMeter, number: u32| {
            with(claim(meter), json!({"manufacturer": "Newcomer Ltd", "meter_serial": format!("N{number}"), "evse_id": format!("DE*ABC*E9{number}")}))
        };
        let first = desk.submit(&desk.cpo, &of(&meter("one"), 1)).await;
        assert_eq!((&first["state"], found(&first)), (&json!("ON_HOLD"), vec!["MANUFACTURER_NEW"]));
        assert_eq!(desk.submit(&desk.cpo, &of(&meter("two"), 2)).await["state"], "ON_HOLD", "nobody has decided yet");
        assert_eq!(desk.decide(&first, "accept").await["state"], "CONFIRMED");
        let third = with(of(&meter("three"), 3), json!({"manufacturer": " NEWCOMER ltd "}));
        desk.register(&desk.cpo, &third).await;
        desk.operator_registers(json!({
            "public_key": hex::encode(meter("four").public_key().to_spki_der()),
            "manufacturer": "Never heard of", "meter_serial": "N4", "evse_id": "DE*ABC*E94",
        })).await;
        // What a person refuses is over, and withdrawn by its submitter too.
        let fourth = desk.submit(&desk.cpo, &with(of(&meter("five"), 5), json!({"manufacturer": "Another"}))).await;
        assert_eq!(desk.decide(&fourth, "refuse").await["state"], "REFUSED");
        assert_eq!(desk.act(&desk.cpo, &fourth, "withdraw", json!({})).await.http, 409);
        let fifth = desk.submit(&desk.cpo, &with(of(&meter("five"), 5), json!({"manufacturer": "Another"}))).await;
        let heard = desk.act(&desk.cpo, &fifth, "withdraw", json!({})).await;
        assert_eq!((heard.http, &heard.json()["state"]), (200, &json!("WITHDRAWN")));
        Some(())
    }

    // SAF-50.
    async fn saf_50_a_replaced_meter_switches_at_one_instant(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let (old, new) = (meter("old"), meter("new"));
        let first = desk.register(&desk.cpo, &claim(&old)).await;
        let key = hex::encode(new.public_key().to_spki_der());
        let replacement = json!({"changed_at": "2026-11-21T08:00:00.25Z", "public_key": key, "key_pair": "EXISTED", "meter_serial": "M2", "manufacturer": "ACME", "model": "Post 1"});
        let heard = desk.act(&desk.cpo, &first, "replace", replacement.clone()).await;
        let second = heard.json();
        assert_eq!((heard.http, &second["supersedes"], &second["reason"]), (202, &first["id"], &json!("REPLACEMENT")), "{second}");
        assert_eq!((&second["evse_id"], &second["meter_serial"], &second["valid_from"]), (&json!("DE*ABC*E1"), &json!("M2"), &json!("2026-11-21T08:00:00.250Z")));
        assert!(heard.location.unwrap().ends_with(id(&second)));
        desk.until(&desk.cpo, &second, "CONFIRMED").await;
        let closed = desk.show(&desk.cpo, &first).await;
        assert_eq!((&closed["state"], &closed["valid_to"], &closed["superseded_by"]), (&json!("SUPERSEDED"), &second["valid_from"], &second["id"]));
        // Another model is for a person to look at; the instant stays the operator's.
        let third = with(replacement, json!({"changed_at": "2026-11-21T09:00:00Z", "model": "Post 9", "meter_serial": "M3",
            "public_key": hex::encode(meter("third").public_key().to_spki_der())}));
        let third = desk.act(&desk.cpo, &second, "replace", third).await.json();
        assert_eq!((&third["state"], found(&third)), (&json!("ON_HOLD"), vec!["MODEL_DIFFERS"]));
        desk.decide(&third, "accept").await;
        assert_eq!(desk.show(&desk.cpo, &second).await["valid_to"], "2026-11-21T09:00:00Z");
        Some(())
    }

    // SAF-51.
    async fn saf_51_a_new_signing_module_counts_from_its_change_and_not_without_submission(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let (old, new) = (meter("old"), meter("new"));
        let first = desk.register(&desk.cpo, &claim(&old)).await;
        let message = desk.world.post(&desk.cpo, &signed("C-1", &new, 1)).await.message;
        assert!(message.contains("INVALID"), "not submitted: {message}");
        let wish = json!({"changed_at": "2026-11-21T08:00:00Z", "public_key": hex::encode(new.public_key().to_spki_der()), "key_pair": "GENERATED"});
        let wrong = with(wish.clone(), json!({"reason": "TAKE_OVER"}));
        assert_eq!(desk.act(&desk.cpo, &first, "replace", wrong).await.json()["field"], "/reason");
        let heard = desk.act(&desk.cpo, &first, "replace", wish).await;
        let second = heard.json();
        assert_eq!((heard.http, &second["reason"], &second["meter_serial"], &second["manufacturer"]), (202, &json!("REPLACEMENT"), &json!("M1"), &json!("ACME")), "{second}");
        desk.until(&desk.cpo, &second, "CONFIRMED").await;
        assert_eq!(desk.world.post(&desk.cpo, &signed("C-2", &new, 2)).await.message, "thanks");
        Some(())
    }

    // SAF-52.
    async fn saf_52_new_firmware_with_a_new_key_closes_the_old_one_at_the_update(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let (old, new) = (meter("old"), meter("new"));
        let first = desk.register(&desk.cpo, &claim(&old)).await;
        let wish = json!({"changed_at": "2026-11-20T20:00:00Z", "public_key": hex::encode(new.public_key().to_spki_der()),
            "key_pair": "GENERATED", "reason": "FIRMWARE", "firmware": "2.0"});
        let second = desk.act(&desk.cpo, &first, "replace", wish).await.json();
        assert_eq!((&second["reason"], &second["firmware"], &second["model"]), (&json!("FIRMWARE"), &json!("2.0"), &json!("Post 1")), "{second}");
        desk.until(&desk.cpo, &second, "CONFIRMED").await;
        assert_eq!(desk.world.post(&desk.cpo, &signed_on("C-20", &old, 20)).await.message, "thanks", "before, by the old key");
        assert_eq!(desk.world.post(&desk.cpo, &signed_on("C-21", &new, 21)).await.message, "thanks", "after, by the new one");
        let message = desk.world.post(&desk.cpo, &signed_on("C-22", &new, 19)).await.message;
        assert!(message.contains("INVALID"), "the new key before its time: {message}");
        Some(())
    }

    async fn a_key_is_reassigned_and_a_registration_corrected_by_its_operator(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let first = desk.register(&desk.cpo, &with(claim(&meter("one")), json!({"evse_uid": "u-1", "valid_to": "2026-12-31T00:00:00Z"}))).await;
        let heard = desk.act(&desk.cpo, &first, "reassign", json!({"changed_at": "2026-11-20T00:00:00Z", "evse_id": "DE*ABC*E2"})).await;
        let second = heard.json();
        assert_eq!((heard.http, &second["reason"], &second["evse_id"], &second["evse_uid"]), (202, &json!("REASSIGNMENT"), &json!("DE*ABC*E2"), &Value::Null), "{second}");
        assert_eq!((&second["fingerprint"], &second["key_pair"]), (&first["fingerprint"], &json!("GENERATED")));
        desk.until(&desk.cpo, &second, "CONFIRMED").await;
        assert_eq!(desk.show(&desk.cpo, &first).await["valid_to"], "2026-11-20T00:00:00Z");
        assert_eq!(desk.act(&desk.cpo, &second, "correct", json!({"reason": "FIRMWARE"})).await.json()["field"], "/reason");
        let corrected = desk.act(&desk.cpo, &second, "correct", json!({"meter_serial": "M7", "valid_from": "2026-11-20T06:00:00Z"})).await.json();
        assert_eq!((&corrected["reason"], &corrected["evse_id"], &corrected["meter_serial"], &corrected["model"]),
            (&json!("CORRECTION"), &json!("DE*ABC*E2"), &json!("M7"), &json!("Post 1")), "{corrected}");
        desk.until(&desk.cpo, &corrected, "CONFIRMED").await;
        let wrong = desk.show(&desk.cpo, &second).await;
        assert_eq!((&wrong["state"], &wrong["valid_to"]), (&json!("SUPERSEDED"), &wrong["valid_from"]), "it never held");
        Some(())
    }

    // SAF-34.
    async fn saf_34_exchanged_hardware_leaves_the_assignment_unbroken_and_tells_nobody(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let one = desk.register(&desk.cpo, &claim(&meter("one"))).await;
        desk.emsp_server.forget();
        let heard = desk.act(&desk.cpo, &one, "exchange", json!({"model": "Post 2", "firmware": "7"})).await;
        let after = heard.json();
        assert_eq!((heard.http, &after["state"], &after["model"], &after["manufacturer"]), (200, &json!("CONFIRMED"), &json!("Post 2"), &json!("ACME")));
        assert_eq!((&after["valid_from"], &after["valid_to"], found(&after)), (&one["valid_from"], &Value::Null, vec!["MODEL_DIFFERS"]));
        assert_eq!(desk.act(&desk.cpo, &one, "exchange", json!({"meter_serial": "M2"})).await.http, 422);
        assert_eq!(desk.world.post(&desk.cpo, &signed("C-1", &meter("one"), 1)).await.message, "thanks");
        let log = desk.world.anybody("/keys/log?limit=100").await.text();
        assert!(log.contains("STATION_HARDWARE_EXCHANGED"));
        assert!(desk.emsp_server.got().iter().all(|got| got.path.contains("/in/box")), "no message but the CDR");
        Some(())
    }

    // SAF-40.
    async fn saf_40_its_operator_ends_a_key_that_stays_right_for_the_time_before(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let one = desk.register(&desk.cpo, &claim(&meter("one"))).await;
        assert_eq!(desk.act(&desk.cpo, &one, "deactivate", json!({"at": "2027-01-01T00:00:00Z"})).await.http, 422);
        let heard = desk.act(&desk.cpo, &one, "deactivate", json!({"at": "2026-11-21T11:00:00Z"})).await;
        assert_eq!((heard.http, &heard.json()["state"], &heard.json()["valid_to"]), (200, &json!("DEACTIVATED"), &json!("2026-11-21T11:00:00Z")));
        assert_eq!(desk.world.post(&desk.cpo, &signed("C-1", &meter("one"), 1)).await.message, "thanks", "charged before");
        let later = signed("C-2", &meter("one"), 2).replace("T09:00:00Z", "T11:10:00Z").replace("T10:00:00Z", "T11:40:00Z");
        let message = desk.world.post(&desk.cpo, &later).await.message;
        assert!(message.contains("INVALID"), "{message}");
        assert_eq!(desk.world.anybody(&format!("/keys/{}.json", one["fingerprint"].as_str().unwrap())).await.http, 200);
        Some(())
    }

    // SAF-54.
    async fn saf_54_a_take_over_waits_for_the_release(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let mine = meter("mine");
        let first = desk.register(&desk.cpo, &claim(&mine)).await;
        let taken = with(claim(&mine), json!({"evse_id": "DE*XYZ*E1", "reason": "TAKE_OVER", "valid_from": "2026-11-21T08:30:00Z"}));
        let second = desk.submit(&desk.other, &taken).await;
        assert_eq!((&second["state"], &second["supersedes"]), (&json!("SUBMITTED"), &first["id"]));
        // The one who had it sees who asks; nobody else sees anything.
        assert_eq!(desk.list(&desk.cpo, "?awaiting=release").await, [id(&first)]);
        assert_eq!(desk.show(&desk.cpo, &first).await["release_asked_by"], json!([{"country_code": "DE", "party_id": "XYZ"}]));
        assert!(desk.list(&desk.other, "?awaiting=release").await.is_empty());
        let body = |id: &str, page| {
            cdr(id, "DE/MSP", &crate::world::signed_data(&mine, page, Some(&mine)), "")
                .replace("\"party_id\":\"ABC\"", "\"party_id\":\"XYZ\"")
                .replace("DE*ABC*E1", "DE*XYZ*E1")
        };
        assert!(desk.world.post(&desk.other, &body("X-1", 1)).await.message.contains("KEY_FOR_OTHER_CPO"), "not theirs yet");
        assert_eq!(desk.act(&desk.other, &second, "release", json!({"to": {"country_code": "DE", "party_id": "XYZ"}})).await.http, 409);
        let heard = desk.act(&desk.cpo, &first, "release", json!({"to": {"country_code": "DE", "party_id": "XYZ"}})).await;
        assert_eq!((heard.http, &heard.json()["released_to"]), (200, &json!("DE/XYZ")));
        desk.until(&desk.other, &second, "CONFIRMED").await;
        let closed = desk.show(&desk.cpo, &first).await;
        assert_eq!((&closed["state"], &closed["valid_to"]), (&json!("SUPERSEDED"), &json!("2026-11-21T08:30:00Z")));
        assert!(desk.list(&desk.cpo, "?awaiting=release").await.is_empty());
        assert_eq!(desk.world.post(&desk.other, &body("X-2", 2)).await.message, "thanks", "and now they are");
        Some(())
    }

    // SAF-53.
    async fn saf_53_cdrs_verify_under_the_operator_of_their_time_and_both_intervals_stay(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let mine = meter("mine");
        let first = desk.register(&desk.cpo, &claim(&mine)).await;
        let released = json!({"to": {"country_code": "DE", "party_id": "XYZ"}});
        assert_eq!(desk.act(&desk.cpo, &first, "release", released).await.http, 200, "a release may come first");
        let taken = with(claim(&mine), json!({"evse_id": "DE*XYZ*E1", "reason": "TAKE_OVER", "valid_from": "2026-11-19T20:00:00Z"}));
        let second = desk.register(&desk.other, &taken).await;
        assert_eq!(second["supersedes"], first["id"]);
        let theirs = |body: String| body.replace("\"party_id\":\"ABC\"", "\"party_id\":\"XYZ\"").replace("DE*ABC*E1", "DE*XYZ*E1");
        for (by, body) in [(&desk.cpo, signed_on("C-20", &mine, 20)), (&desk.other, theirs(signed_on("X-18", &mine, 18)))] {
            let message = desk.world.post(by, &body).await.message;
            assert!(message.contains("INVALID"), "{message}");
        }
        assert_eq!(desk.world.post(&desk.cpo, &signed_on("C-19", &mine, 19)).await.message, "thanks");
        assert_eq!(desk.world.post(&desk.other, &theirs(signed_on("X-21", &mine, 21))).await.message, "thanks");
        let history = desk.world.anybody(&format!("/keys/{}/history", first["fingerprint"].as_str().unwrap())).await.text();
        assert!(history.contains("DE*ABC*E1") && history.contains("DE*XYZ*E1"));
        Some(())
    }

    // SAF-54.
    async fn saf_54_a_take_over_whose_evse_was_given_away_meanwhile_waits_for_a_person(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let mine = meter("mine");
        let first = desk.register(&desk.cpo, &claim(&mine)).await;
        let taken = with(claim(&mine), json!({"evse_id": "DE*XYZ*E1", "reason": "TAKE_OVER", "valid_from": "2026-11-21T08:30:00Z"}));
        let second = desk.submit(&desk.other, &taken).await;
        desk.register(&desk.other, &with(claim(&meter("own")), json!({"evse_id": "DE*XYZ*E1", "meter_serial": "M9"}))).await;
        desk.act(&desk.cpo, &first, "release", json!({"to": {"country_code": "DE", "party_id": "XYZ"}})).await;
        let held = desk.until(&desk.other, &second, "ON_HOLD").await;
        assert_eq!(found(&held), ["EVSE_HAS_ACTIVE_METER"]);
        assert_eq!(desk.show(&desk.cpo, &first).await["state"], "CONFIRMED", "nobody is without a key");
        Some(())
    }

    // SAF-54: without a release, documented proof and a person at the hub.
    async fn saf_54_documented_proof_lets_a_person_decide_a_take_over(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let mine = meter("mine");
        let first = desk.register(&desk.cpo, &claim(&mine)).await;
        let taken = with(claim(&mine), json!({"evse_id": "DE*XYZ*E1", "reason": "TAKE_OVER", "valid_from": "2026-11-21T08:30:00Z"}));
        let second = desk.submit(&desk.other, &taken).await;
        let paper = json!({"media_type": "application/pdf", "name": "Übergabe \"1\".pdf", "note": "signed by both", "content": "JVBERi0xLjQK"});
        let heard = desk.act(&desk.other, &second, "evidence", paper.clone()).await;
        let listed = heard.json()["evidence"][0].clone();
        assert_eq!((heard.http, &listed["size"], &listed["kept"], &listed["added_by"]), (201, &json!(9), &json!(true), &json!("DE/XYZ")), "{}", heard.text());
        let hash = "e5c62df5dab5c87b6a015ef3d43597074d1eec433b15f51aec63b8582d0e4ab4";
        assert_eq!(listed["sha256"], hash);
        let location = heard.location.unwrap();
        assert!(location.ends_with(&format!("{}/evidence/{hash}", id(&second))));
        let file = desk.world.get(&desk.other, &location, &[]).await;
        assert_eq!((file.http, file.answer.body.as_ref(), file.header("content-type")), (200, &b"%PDF-1.4\n"[..], Some("application/pdf")));
        assert_eq!(file.header("content-disposition"), Some("attachment; filename*=UTF-8''%C3%9Cbergabe%20%221%22%2Epdf"));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(desk.world.get(&desk.cpo, &location, &[]).await.http, 404, "the other operator's papers");
        let (status, _) = desk.world.operate(Method::GET, &format!("{KEYS}/{}/evidence/{}", id(&second), hash.to_uppercase()), None).await;
        assert_eq!(status, 200, "the person who decides reads it");
        // Once more changes nothing; only named, it is a version without octets.
        assert_eq!(desk.act(&desk.other, &second, "evidence", paper.clone()).await.json()["version"], 2);
        let named = json!({"media_type": "text/plain", "name": "ledger", "sha256": "AA".repeat(32), "size": 12});
        let heard = desk.act(&desk.other, &second, "evidence", named).await;
        assert_eq!((heard.http, &heard.json()["evidence"][1]["kept"]), (201, &json!(false)));
        assert_eq!(desk.world.get(&desk.other, &heard.location.unwrap(), &[]).await.http, 404);
        for (members, field) in [
            (json!({"content": "%%"}), "/content"), (json!({"sha256": "00".repeat(32)}), "/sha256"), (json!({"size": 8}), "/size"),
            (json!({"media_type": "text/html; x=1"}), "/media_type"), (json!({"name": null}), "/name"), (json!({"content": null}), "/sha256"),
            (json!({"content": null, "sha256": "zz"}), "/sha256"), (json!({"content": null, "sha256": "00".repeat(32)}), "/size"),
        ] {
            let heard = desk.act(&desk.other, &second, "evidence", with(paper.clone(), members)).await;
            assert_eq!((heard.http, &heard.json()["field"]), (422, &json!(field)), "{}", heard.text());
        }
        assert_eq!(desk.act(&desk.other, &second, "evidence", with(paper, json!({"content": "A".repeat(8_000_000)}))).await.http, 413);
        assert_eq!(desk.decide(&second, "accept").await["state"], "CONFIRMED");
        assert_eq!(desk.show(&desk.cpo, &first).await["state"], "SUPERSEDED");
        assert_eq!(desk.show(&desk.other, &second).await["evidence"].as_array().unwrap().len(), 2);
        let shown = desk.world.anybody(&format!("/keys/{}.json", first["fingerprint"].as_str().unwrap())).await.text();
        assert!(!shown.contains("bergabe") && !shown.contains("ledger"), "not for everybody");
        assert_eq!(proof::verify(&desk.world.hub.store).await.unwrap().bad, None);
        Some(())
    }

    // key-registry.md 4.1, subject identity.
    async fn a_gateway_that_serves_one_point_is_known_by_its_own_number(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        let gateway = meter("gateway");
        let alone = with(claim(&gateway), json!({"meter_serial": null, "gateway_serial": "GW-7", "signs": "GATEWAY"}));
        let heard = desk.write(&desk.cpo, DESK, &with(alone.clone(), json!({"signs": "METER"}))).await;
        assert_eq!((heard.http, &heard.json()["field"]), (422, &json!("/meter_serial")));
        let one = desk.register(&desk.cpo, &alone).await;
        assert_eq!((&one["meter_serial"], &one["gateway_serial"]), (&Value::Null, &json!("GW-7")));
        let again = desk.write(&desk.cpo, DESK, &alone).await;
        assert_eq!((again.http, &again.json()["id"]), (200, &one["id"]), "PC-09");
        let record = |page: u32, marker: &str, hour: u32, value: &str| gateway.ocmf(&format!(
            r#"{{"FV":"1.0","GS":"GW-7","PG":"T{page}","ID":"04AA","RD":[{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ));
        let data = json!({"encoding_method": "OCMF", "signed_values": [
            {"nature": "Start", "plain_data": "", "signed_data": record(1, "B", 9, "10.000")},
            {"nature": "End", "plain_data": "", "signed_data": record(2, "E", 10, "17.500")},
        ]});
        let body = cdr("C-1", "DE/MSP", &data.to_string(), "").replace("\"meter_id\":\"M1\",", "");
        assert_eq!(desk.world.post(&desk.cpo, &body).await.message, "thanks", "no key came along: the registry's did");
        let report = desk.world.get(&desk.cpo, "/partner/v1/cdrs/DE/ABC/C-1/report", &[]).await.json();
        assert_eq!((&report["status"], &report["key"]["registration"]), (&json!("VERIFIED"), &one["id"]), "{report}");
        // Found by its number alone where the CDR names no EVSE that is known.
        let elsewhere = body.replace("\"C-1\"", "\"C-2\"").replace("DE*ABC*E1", "DE*ABC*E8");
        let message = desk.world.post(&desk.cpo, &elsewhere).await.message;
        assert!(message.contains("KEY_FOR_OTHER_EVSE"), "{message}");
        let public = desk.world.anybody("/keys?gateway_serial=gw-7").await.json();
        assert_eq!(public["registrations"][0]["id"], one["id"]);
        // One gateway, one point: another key or another EVSE of it contradicts.
        let other_key = with(claim(&meter("other")), json!({"meter_serial": null, "gateway_serial": "GW-7", "evse_id": "DE*ABC*E2"}));
        assert_eq!(found(&desk.write(&desk.cpo, DESK, &other_key).await.json()), ["METER_HAS_ACTIVE_KEY"]);
        let behind = with(claim(&gateway), json!({"meter_serial": "M5", "gateway_serial": "GW-7", "evse_id": "DE*ABC*E2"}));
        assert_eq!(found(&desk.write(&desk.cpo, DESK, &behind).await.json()), ["KEY_ACTIVE_ELSEWHERE"]);
        Some(())
    }

    // PC-05: warnings hold what a party submits, whatever they are about.
    async fn pc_05_a_legacy_curve_waits_for_a_person(on) {
        let desk = Desk::of(World::start(on, "").await?).await;
        desk.world.clock.set(at("2026-11-22T12:00:00Z"));
        let old = SigningMeter::from_seed(Curve::Secp192r1, b"old").unwrap();
        let held = desk.submit(&desk.cpo, &claim(&old)).await;
        assert_eq!((&held["state"], found(&held)), (&json!("ON_HOLD"), vec!["LEGACY_STRENGTH"]));
        assert_eq!(desk.list(&desk.cpo, "?state=ON_HOLD").await, [id(&held)]);
        assert_eq!(desk.decide(&held, "accept").await["state"], "CONFIRMED");
        Some(())
    }
}
