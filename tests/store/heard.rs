//! What was heard of keys: observations, CDRs that were verified with another key, locations that claim conformity.

use futures_util::future::join_all;
use truewatt::store::*;

use crate::place::Place;
use crate::world::*;

fn heard(cpo: &str, name: &str, evse: &str, second: i64) -> ObservationRow {
    ObservationRow {
        id: id(),
        cpo_key: cpo.to_owned(),
        source: "CDR".to_owned(),
        kind: "KEY".to_owned(),
        name: name.to_owned(),
        evse: evse.to_owned(),
        evse_id: some(evse),
        evse_uid: None,
        public_key: some("3059"),
        curve: some("secp256r1"),
        meter_serial: some("M1"),
        gateway_serial: None,
        first_seen: at(second),
        last_seen: at(second),
        times: 1,
        last_cdr: some(&format!("C-{second}")),
    }
}

async fn all(store: &Store) -> Vec<ObservationRow> {
    store.observation_list(None, None, None, 1000).await.unwrap().0
}

/// key-registry.md 4.1: observation.
pub async fn what_is_heard_often_is_one_row_for_each_evse_whoever_hears_it(place: &Place) {
    let (one, other) = (place.store().await, place.store().await);
    let noting = (0..40).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        // In both orders: who notes the same waits for the other.
        let mut rows = vec![
            heard("DE/ABC", "aa", "E1", n),
            heard("DE/ABC", "aa", "E2", n),
            heard("DE/XYZ", "aa", "E1", n),
        ];
        if n % 3 == 0 {
            rows.reverse();
        }
        tokio::spawn(async move { store.observe(rows).await })
    });
    for noted in join_all(noting).await {
        noted.unwrap().unwrap();
    }
    let found = all(&one).await;
    assert_eq!(found.len(), 3);
    for row in &found {
        assert_eq!(
            (row.times, row.first_seen, row.last_seen),
            (40, at(0), at(39)),
            "{row:?}"
        );
    }
    // Told late, it counts, and is not the last.
    let first = heard("DE/ABC", "aa", "E1", 7);
    one.observe(vec![ObservationRow {
        times: 2,
        ..first.clone()
    }])
    .await
    .unwrap();
    let row = other.observation_of(&first).await.unwrap().unwrap();
    assert_eq!((row.times, row.last_seen), (42, at(39)));
    assert_eq!(
        other.observation_of(&heard("DE/ABC", "bb", "E1", 7)).await.unwrap(),
        None
    );
    one.observe(Vec::new()).await.unwrap();
}

pub async fn observations_are_listed_newest_first_page_by_page_and_by_operator(place: &Place) {
    let store = place.store().await;
    for nth in 0..5 {
        store
            .observe(vec![heard("DE/ABC", &format!("a{nth}"), "E1", nth)])
            .await
            .unwrap();
    }
    let reported = ObservationRow {
        source: "OCPP".to_owned(),
        last_cdr: None,
        ..heard("DE/XYZ", "x", "E9", 9)
    };
    store.observe(vec![reported.clone()]).await.unwrap();
    let own = ["DE/ABC".to_owned()];
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = store
            .observation_list(Some(&own), None, cursor.as_deref(), 2)
            .await
            .unwrap();
        seen.extend(page.0.into_iter().map(|row| row.name));
        cursor = page.1;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a4", "a3", "a2", "a1", "a0"]);
    assert_eq!(store.observation_list(Some(&[]), None, None, 10).await.unwrap().0, []);
    assert_eq!(
        store.observation_list(None, Some("OCPP"), None, 10).await.unwrap().0,
        [reported]
    );
}

/// PC-21.
pub async fn only_what_a_charge_point_reported_is_a_reported_key_and_the_last_comes_first(place: &Place) {
    let store = place.store().await;
    let reported = |name: &str, evse: &str, second| ObservationRow {
        source: "GET_CONFIGURATION".to_owned(),
        ..heard("DE/ABC", name, evse, second)
    };
    let serial = ObservationRow {
        kind: "METER".to_owned(),
        ..reported("M1", "E1", 9)
    };
    let rows = [
        reported("new", "E1", 5),
        reported("old", "E1", 3),
        heard("DE/ABC", "seen", "E1", 8),
        reported("far", "E2", 7),
        serial,
    ];
    store.observe(rows.to_vec()).await.unwrap();
    let names = async || {
        let found = store.keys_reported("DE/ABC", "E1").await.unwrap();
        found.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["new", "old"]);
    // Reported again, the old one is the latest word.
    store.observe(vec![reported("old", "E1", 6)]).await.unwrap();
    assert_eq!(names().await, ["old", "new"]);
    assert_eq!(store.keys_reported("DE/XYZ", "E1").await.unwrap(), []);
}

/// PC-19.
pub async fn verified_cdrs_of_a_meter_are_found_unless_they_came_with_the_key(place: &Place) {
    let store = place.store().await;
    let new = |name: &str, status: &str, key: Option<&str>, began, ended| {
        let mut new = cdr(name);
        new.row.metering_status = status.to_owned();
        new.report = format!("{{\"of\":\"{name}\"}}");
        new.traces = Traces {
            meters: vec!["M1".to_owned()],
            fingerprint: key.map(str::to_owned),
            began: Some(at(began)),
            ended: Some(at(ended)),
            ..Traces::default()
        };
        new
    };
    let all = [
        new("C-1", "VERIFIED", Some("mine"), 10, 20),
        new("C-2", "VERIFIED", Some("other"), 20, 30),
        new("C-3", "VERIFIED", None, 30, 40),
        new("C-4", "INVALID", Some("other"), 40, 50),
        new("C-5", "VERIFIED", Some("other"), 50, 60),
    ];
    for one in &all {
        assert_eq!(store.cdr_take(one.clone()).await.unwrap(), Taken::New);
    }
    let query = |cpo: &str, from, to: Option<i64>| VerifiedQuery {
        cpo_key: cpo.to_owned(),
        meter: "M1".to_owned(),
        but_fingerprint: "mine".to_owned(),
        from: at(from),
        to: to.map(at),
    };
    let find = async |query: VerifiedQuery| {
        let (mut found, mut after) = (Vec::new(), TracePlace::start());
        loop {
            let page = store.verified_of_meter(&query, &after, 2).await.unwrap();
            let Some(last) = page.last() else { return found };
            after = TracePlace {
                ended_at: last.ended_at,
                row_id: last.row_id.clone(),
            };
            found.extend(page.into_iter().map(|one| one.report));
        }
    };
    let reports = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("{{\"of\":\"{name}\"}}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(find(query("DE/ABC", 0, None)).await, reports(&["C-2", "C-3", "C-5"]));
    // What ended when the time begins, or begins when it ends, is outside.
    assert_eq!(find(query("DE/ABC", 30, Some(50))).await, reports(&["C-3"]));
    assert_eq!(find(query("DE/XYZ", 0, None)).await, reports(&[]));
    // The newest verdict is the one that is in force.
    let row_id = all[2].row.id.clone();
    let verdict = NewVerdict {
        row_id,
        report: "{\"of\":\"newer\"}".to_owned(),
        status: "VERIFIED".to_owned(),
        billable: true,
        marker: None,
        checked_at: at(500),
        blocks: Vec::new(),
        instead_of: None,
        notice: None,
    };
    store.verdict_add(verdict).await.unwrap();
    assert_eq!(find(query("DE/ABC", 30, Some(50))).await, reports(&["newer"]));
}

/// SAF-38.
pub async fn a_location_that_may_claim_conformity_is_found_until_it_does_not(place: &Place) {
    let store = place.store().await;
    let row = |name: &str, owner: &str, module: &str, body: &str| MirrorRow {
        id: id(),
        module: module.to_owned(),
        country_code: "DE".to_owned(),
        party_id: owner[3..].to_owned(),
        owner_key: owner.to_owned(),
        object_id: name.to_owned(),
        object_key: name.to_owned(),
        shelf: owner.to_owned(),
        version: "2.2.1".to_owned(),
        last_updated: at(1),
        revision: 1,
        deleted_at: None,
        listed: false,
        body: body.to_owned(),
    };
    let write = async |row: &MirrorRow, replaces: Option<i64>| {
        let write = MirrorWrite {
            row: row.clone(),
            replaces,
            copy: None,
            missed: Vec::new(),
        };
        assert_eq!(
            store.mirror_write(write).await.unwrap(),
            Written::Kept { behind: false }
        );
    };
    let claims = r#"{"evses":[{"metering_conformity":{"calibrated":true}}]}"#;
    let all = [
        row("L1", "DE/ABC", "locations", claims),
        row("L2", "DE/ABC", "locations", "{}"),
        row("L3", "DE/XYZ", "locations", claims),
        row("T1", "DE/ABC", "tariffs", claims),
    ];
    for one in &all {
        write(one, None).await;
    }
    let abc = ["DE/ABC".to_owned()];
    let found = async |owners: Option<&[String]>, after: &str, limit| {
        let found = store.locations_claiming(owners, after, limit).await.unwrap();
        found.into_iter().map(|row| row.object_id).collect::<Vec<_>>()
    };
    assert_eq!(found(None, "", 10).await, ["L1", "L3"]);
    assert_eq!(found(None, "", 1).await, ["L1"]);
    assert_eq!(found(None, &all[0].id, 10).await, ["L3"]);
    assert_eq!(found(Some(&abc), "", 10).await, ["L1"]);
    assert_eq!(found(Some(&[]), "", 10).await, Vec::<String>::new());
    let silent = MirrorRow {
        revision: 2,
        body: "{}".to_owned(),
        ..all[0].clone()
    };
    write(&silent, Some(1)).await;
    let gone = MirrorRow {
        revision: 2,
        deleted_at: Some(at(9)),
        ..all[2].clone()
    };
    write(&gone, Some(1)).await;
    assert_eq!(found(None, "", 10).await, Vec::<String>::new());
}
