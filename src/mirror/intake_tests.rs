#![allow(clippy::unwrap_used)]
use super::*;
use crate::ocpi::refusal::Situation;

fn party() -> PartyId {
    PartyId::from_slash("DE/ABC").unwrap()
}

fn push(module: &'static Module, method: &'static str, ids: &[&str], body: &str) -> Push {
    Push {
        named: Named {
            module,
            owner: party(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            token_type: None,
        },
        method,
        version: Version::V2_2_1,
        body: Some(Bytes::from(body.to_owned())),
    }
}

fn row(body: &str) -> MirrorRow {
    MirrorRow {
        id: String::new(),
        module: String::new(),
        country_code: "DE".into(),
        party_id: "ABC".into(),
        owner_key: "DE/ABC".into(),
        object_id: "L1".into(),
        object_key: "L1".into(),
        shelf: "DE/ABC".into(),
        version: "2.2.1".into(),
        last_updated: DateTime::UNIX_EPOCH,
        revision: 1,
        deleted_at: None,
        listed: false,
        body: body.into(),
    }
}

const CONNECTOR: &str = r#"{ "id":"1", "standard":"IEC_62196_T2","format":"SOCKET", "power_type":"AC_3_PHASE","max_voltage":230,
 "max_amperage" : 1.6e1, "last_updated":"2026-11-21T08:00:00Z" }"#;

fn evse(uid: &str) -> String {
    format!(
        r#"{{"uid":"{uid}","status":"AVAILABLE" , "connectors":[{CONNECTOR}],"last_updated":"2026-11-21T08:00:00Z"}}"#
    )
}

fn location() -> String {
    format!(
        r#" {{ "zz":[1.50 ], "country_code":"DE","party_id":"ABC","id":"L1","publish":true,"address":"A","city":"B","country":"DEU",
 "coordinates":{{"latitude":"52.520000","longitude":"13.404000"}},"time_zone":"Europe/Berlin","evses":[{}, {}],
 "last_updated" : "2026-11-21T08:00:00Z"}} "#,
        evse("E1"),
        evse("E2")
    )
}

const TARIFF: &str = r#"{"country_code":"DE","party_id":"ABC","id":"T1","currency":"EUR",
 "elements":[{"price_components":[{"type":"FLAT","price":1.50,"step_size":0}]}],"last_updated":"2026-11-21T08:00:00Z"}"#;

const TOKEN: &str = r#"{"country_code":"DE","party_id":"ABC","uid":"04/AA","type":"APP_USER","contract_id":"C1","issuer":"I","valid":true,
 "whitelist":"NEVER","last_updated":"2026-11-21T08:00:00Z"}"#;

fn kept(push: &Push, current: Option<&str>) -> State {
    next(push, current.map(row).as_ref()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn refused(push: &Push, current: Option<&str>) -> Refusal {
    match next(push, current.map(row).as_ref()) {
        Ok(_) => panic!("{push:?} was taken"),
        Err(refusal) => refusal,
    }
}

// S-06, T-23, T-49
// TAR-03
#[test]
fn a_whole_object_is_kept_octet_by_octet_and_nothing_of_the_one_before() {
    let first = location();
    let state = kept(&push(&LOCATIONS, "PUT", &["l1"], &first), None);
    assert!(state.is_new && state.body == first && state.object_id == "L1");
    assert_eq!(
        state.last_updated,
        "2026-11-21T08:00:00Z".parse::<DateTime<Utc>>().unwrap()
    );
    let other = first.replace("\"zz\":[1.50 ],", "");
    let state = kept(&push(&LOCATIONS, "PUT", &["L1"], &other), Some(&first));
    assert!(!state.is_new && state.body == other);
}

// R-63, T-27, T-28, D-13, D-05
#[test]
fn what_does_not_fit_the_grammar_or_the_url_is_refused_with_its_pointer() {
    let good = location();
    for (body, pointer) in [
        (good.replace("\"city\":\"B\",", ""), "/city"),
        (good.replace("\"publish\":true", "\"publish\":\"yes\""), "/publish"),
        (
            good.replace("\"DE\",\"party_id\"", "\"NL\",\"party_id\""),
            "/country_code",
        ),
        (good.replace("\"ABC\"", "\"ABD\""), "/party_id"),
        (good.replace("\"L1\"", "\"L2\""), "/id"),
        (good.replace("\"country_code\":\"DE\",", ""), "/country_code"),
    ] {
        let refusal = refused(&push(&LOCATIONS, "PUT", &["L1"], &body), None);
        assert_eq!(refusal.situation, Situation::InvalidParameter);
        assert!(
            refusal.message.starts_with(&format!("{pointer}: ")),
            "{pointer}: {refusal}"
        );
    }
    assert_eq!(
        refused(&push(&LOCATIONS, "PUT", &["L1"], "{"), None).situation,
        Situation::Malformed
    );
    let odd = good.replace("IEC_62196_T2", "PLUG_OF_TOMORROW");
    let state = kept(&push(&LOCATIONS, "PUT", &["L1"], &odd), None);
    assert!(!state.warnings.is_empty() && state.body == odd, "T-41");
}

// LOC-04, LOC-07, LOC-08, LOC-22
#[test]
fn an_evse_or_connector_takes_its_place_and_raises_what_is_above_it_and_nothing_else() {
    let before = location();
    let pushed = evse("e2")
        .replace("AVAILABLE", "BLOCKED")
        .replace("T08:00:00Z\"}", "T09:00:00.25Z\"}");
    let state = kept(&push(&LOCATIONS, "PUT", &["L1", "E2"], &pushed), Some(&before));
    let raised = before.replace(
        "\"last_updated\" : \"2026-11-21T08:00:00Z\"",
        "\"last_updated\" : \"2026-11-21T09:00:00.25Z\"",
    );
    assert!(!state.is_new);
    assert_eq!(state.body, raised.replace(&evse("E2"), &pushed));

    let state = kept(&push(&LOCATIONS, "PUT", &["L1", "E3"], &evse("E3")), Some(&before));
    assert!(
        state.is_new
            && state
                .body
                .contains(&format!("{}, {},{}]", evse("E1"), evse("E2"), evse("E3")))
    );

    let connector = CONNECTOR.replace("1.6e1", "32").replace("T08:00", "T09:30");
    let state = kept(&push(&LOCATIONS, "PUT", &["L1", "E1", "1"], &connector), Some(&before));
    let in_evse = evse("E1").replace(CONNECTOR, &connector).replace(
        "\"last_updated\":\"2026-11-21T08:00:00Z\"}",
        "\"last_updated\":\"2026-11-21T09:30:00Z\"}",
    );
    let expected = before.replace(&evse("E1"), &in_evse).replace(
        "\"last_updated\" : \"2026-11-21T08:00:00Z\"",
        "\"last_updated\" : \"2026-11-21T09:30:00Z\"",
    );
    assert_eq!(state.body, expected);
    assert_eq!(
        state.last_updated,
        "2026-11-21T09:30:00Z".parse::<DateTime<Utc>>().unwrap()
    );
}

// LOC-10, T-26, D-13, D-18
#[test]
fn a_part_or_a_change_of_what_is_not_here_is_a_404() {
    let here = location();
    for (push, current, code) in [
        (push(&LOCATIONS, "PUT", &["L1", "E1"], &evse("E1")), None, 2003),
        (
            push(&LOCATIONS, "PUT", &["L1", "E9", "1"], CONNECTOR),
            Some(here.as_str()),
            2003,
        ),
        (
            push(
                &LOCATIONS,
                "PATCH",
                &["L1"],
                r#"{"last_updated":"2026-11-21T09:00:00Z"}"#,
            ),
            None,
            2003,
        ),
        (
            push(
                &LOCATIONS,
                "PATCH",
                &["L1", "E9"],
                r#"{"last_updated":"2026-11-21T09:00:00Z"}"#,
            ),
            Some(here.as_str()),
            2003,
        ),
        (
            push(
                &LOCATIONS,
                "PATCH",
                &["L1", "E1", "9"],
                r#"{"last_updated":"2026-11-21T09:00:00Z"}"#,
            ),
            Some(here.as_str()),
            2003,
        ),
        (
            push(
                &TOKENS,
                "PATCH",
                &["04/AA"],
                r#"{"last_updated":"2026-11-21T09:00:00Z"}"#,
            ),
            None,
            2004,
        ),
        (push(&TARIFFS, "DELETE", &["T1"], ""), None, 2000),
    ] {
        let refusal = refused(&push, current);
        assert_eq!(refusal.code().0, code, "{push:?}");
        assert!(matches!(
            refusal.situation,
            Situation::UnknownLocation | Situation::UnknownToken | Situation::NotFound
        ));
    }
}

// T-24, T-25, LOC-05
#[test]
fn a_patch_changes_the_members_it_names_at_every_level_and_says_when() {
    let before = location();
    let at = |level: &[&str], body: &str| kept(&push(&LOCATIONS, "PATCH", level, body), Some(&before)).body;
    let raised = before.replace(
        "\"last_updated\" : \"2026-11-21T08:00:00Z\"",
        "\"last_updated\" : \"2026-11-21T09:00:00Z\"",
    );
    let patch = r#"{"city" : "X", "last_updated":"2026-11-21T09:00:00Z"}"#;
    assert_eq!(at(&["L1"], patch), raised.replace("\"B\"", "\"X\""));
    let patch = r#"{"status":"CHARGING","last_updated":"2026-11-21T09:00:00Z"}"#;
    let changed = evse("E1")
        .replace("AVAILABLE", "CHARGING")
        .replace("2026-11-21T08:00:00Z\"}", "2026-11-21T09:00:00Z\"}");
    assert_eq!(at(&["L1", "E1"], patch), raised.replace(&evse("E1"), &changed));
    let patch = r#"{"max_amperage":8,"last_updated":"2026-11-21T09:00:00Z"}"#;
    let connector = CONNECTOR.replace("1.6e1", "8").replace("T08:00", "T09:00");
    let changed = evse("E2")
        .replace(CONNECTOR, &connector)
        .replace("2026-11-21T08:00:00Z\"}", "2026-11-21T09:00:00Z\"}");
    assert_eq!(at(&["L1", "E2", "1"], patch), raised.replace(&evse("E2"), &changed));
    for (level, body, pointer) in [
        (&["L1"][..], r#"{"city":"X"}"#, "/last_updated"),
        (&["L1", "E1"], r#"{"status":"CHARGING"}"#, "/last_updated"),
        (
            &["L1"],
            r#"{"city":null,"last_updated":"2026-11-21T09:00:00Z"}"#,
            "/city",
        ),
        (&["L1"], r#"{"id":"L2","last_updated":"2026-11-21T09:00:00Z"}"#, "/id"),
        (
            &["L1", "E1"],
            r#"{"uid":"E2","last_updated":"2026-11-21T09:00:00Z"}"#,
            "/uid",
        ),
        (
            &["L1", "E1", "1"],
            r#"{"id":"2","last_updated":"2026-11-21T09:00:00Z"}"#,
            "/id",
        ),
        (
            &["L1"],
            r#"{"party_id":"XYZ","last_updated":"2026-11-21T09:00:00Z"}"#,
            "/party_id",
        ),
    ] {
        let refusal = refused(&push(&LOCATIONS, "PATCH", level, body), Some(&before));
        assert!(refusal.message.starts_with(pointer), "{body}: {refusal}");
        assert_eq!(refusal.code().0, 2001);
    }
}

// TOK-07, TOK-08, TOK-09, F-18
#[test]
fn a_tokens_type_is_part_of_its_name_and_rfid_where_none_is_said() {
    let mut put = push(&TOKENS, "PUT", &["04/aa"], TOKEN);
    assert!(refused(&put, None).message.starts_with("/type: "));
    put.named.token_type = Some("app_user".into());
    assert!(kept(&put, None).is_new);
    let mut patch = push(
        &TOKENS,
        "PATCH",
        &["04/AA"],
        r#"{"valid":false,"last_updated":"2026-11-21T09:00:00Z"}"#,
    );
    patch.named.token_type = Some("APP_USER".into());
    let state = kept(&patch, Some(TOKEN));
    assert_eq!(state.body, TOKEN.replace("true", "false").replace("T08:00", "T09:00"));
    assert!(!state.is_gone);
    patch.body = Some(Bytes::from_static(
        br#"{"type":"RFID","last_updated":"2026-11-21T09:00:00Z"}"#,
    ));
    assert!(refused(&patch, Some(TOKEN)).message.starts_with("/type: "));
}

// TAR-03, TAR-04
#[test]
fn a_deleted_tariff_is_gone_once() {
    let state = kept(&push(&TARIFFS, "DELETE", &["t1"], ""), Some(TARIFF));
    assert!(state.is_gone && state.body == TARIFF);
    assert_eq!(
        refused(&push(&TARIFFS, "DELETE", &["T1"], ""), None).situation,
        Situation::NotFound
    );
    assert!(kept(&push(&TARIFFS, "PUT", &["T1"], TARIFF), None).is_new);
}

fn session(periods: &str) -> String {
    format!(
        r#"{{"country_code":"DE","party_id":"ABC","id":"S1","start_date_time":"2026-11-21T08:00:00Z","kwh":0.0,
 "cdr_token":{{"country_code":"NL","party_id":"EMS","uid":"04AA","type":"RFID","contract_id":"C1"}},"auth_method":"WHITELIST",
 "location_id":"L1","evse_uid":"E1","connector_id":"1","currency":"EUR",{periods}"status":"ACTIVE","last_updated":"2026-11-21T08:00:00Z"}}"#
    )
}

fn period(start: &str) -> String {
    format!(r#"{{"start_date_time":"2026-11-21T{start}:00Z", "dimensions":[{{"type":"ENERGY","volume":1.0}}]}}"#)
}

// SES-10, SES-11, SES-12
#[test]
fn charging_periods_are_added_by_a_patch_and_replaced_by_a_put() {
    let before = session(&format!("\"charging_periods\":[{}],", period("08:00")));
    let patch = |body: &str| kept(&push(&SESSIONS, "PATCH", &["S1"], body), Some(&before)).body;
    let later = before.replace(
        "\"last_updated\":\"2026-11-21T08:00:00Z\"",
        "\"last_updated\":\"2026-11-21T09:00:00Z\"",
    );
    let added = format!(
        r#"{{"charging_periods":[{}],"last_updated":"2026-11-21T09:00:00Z"}}"#,
        period("09:00")
    );
    assert_eq!(
        patch(&added),
        later.replace("}]}],", &format!("}}]}},{}],", period("09:00")))
    );
    for none in ["", "\"charging_periods\":[],", "\"charging_periods\":null,"] {
        assert_eq!(
            patch(&format!("{{{none}\"last_updated\":\"2026-11-21T09:00:00Z\"}}")),
            later
        );
    }
    assert_eq!(
        refused(&push(&SESSIONS, "PATCH", &["S1"], r#"{"kwh":1}"#), Some(&before))
            .code()
            .0,
        2001
    );
    let put = push(&SESSIONS, "PUT", &["S1"], &session(""));
    assert_eq!(kept(&put, Some(&before)).body, session(""));
}

// X-002
#[test]
fn a_2_2_session_need_not_say_whose_its_token_is() {
    let mut put = push(
        &SESSIONS,
        "PUT",
        &["S1"],
        &session("").replace("\"country_code\":\"NL\",\"party_id\":\"EMS\",", ""),
    );
    assert_eq!(refused(&put, None).code().0, 2001);
    put.version = Version::V2_2;
    assert!(kept(&put, None).is_new);
}
