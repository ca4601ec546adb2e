//! Promises about contracts of smart charging, and about who steers a session.

use futures_util::future::join_all;
use truewatt::store::*;

use super::place::Place;
use super::world::at;

fn control(cpo: &str, session: &str, revision: i64) -> ControlRow {
    ControlRow {
        cpo_key: cpo.to_owned(),
        session_key: session.to_owned(),
        id: format!("{session} of {cpo}"),
        revision,
        is_steered: false,
        is_over: false,
        document: format!("{{\"revision\":{revision}}}"),
        expires_at: at(100),
    }
}

fn contract(id: &str, grantor: &str) -> ContractRow {
    ContractRow {
        id: id.to_owned(),
        grantor_key: grantor.to_owned(),
        document: format!("{{\"of\":\"{grantor}\"}}"),
        updated_at: at(1),
    }
}

// ECI-09
pub async fn of_any_number_who_found_a_session_as_it_was_one_writes(place: &Place) {
    let stores = [place.store().await, place.store().await];
    for (revision, replaces) in [(1, None), (2, Some(1)), (3, Some(2))] {
        let all = (0..20).map(|number| {
            let mut row = control("NL/CPA", "S1", revision);
            row.document = format!("{revision} by {number}");
            let store = &stores[number % 2];
            async move { (store.control_put(row.clone(), replaces).await.unwrap(), row) }
        });
        let written: Vec<_> = join_all(all).await.into_iter().filter(|(won, _)| *won).collect();
        assert_eq!(written.len(), 1, "revision {revision}");
        for store in &stores {
            assert_eq!(
                store.control_get("NL/CPA", "S1").await.unwrap().as_ref(),
                Some(&written[0].1)
            );
        }
    }
    let stale = control("NL/CPA", "S1", 2);
    assert!(!stores[0].control_put(stale.clone(), Some(1)).await.unwrap());
    assert!(!stores[0].control_put(stale, None).await.unwrap());
    assert!(
        !stores[0]
            .control_put(control("NL/CPA", "S2", 2), Some(1))
            .await
            .unwrap(),
        "nothing to replace"
    );
    assert_eq!(stores[1].control_get("NL/CPA", "S2").await.unwrap(), None);
}

// S-41
pub async fn sessions_of_one_id_are_found_whoever_the_cpo_is_and_listed_page_by_page(place: &Place) {
    let store = place.store().await;
    let mut rows: Vec<ControlRow> = [("NL/CPA", "S1"), ("NL/CPB", "S1"), ("NL/CPA", "S2"), ("NL/CPA", "S3")]
        .map(|(cpo, session)| control(cpo, session, 1))
        .into();
    rows[2].is_steered = true;
    rows[3].is_over = true;
    for row in &rows {
        assert!(store.control_put(row.clone(), None).await.unwrap());
    }
    assert_eq!(store.controls_of_session("S1").await.unwrap(), rows[..2]);
    let ids = async |filter: ControlFilter, after: Option<&str>, limit, now| {
        let (rows, next) = store.control_list(filter, after, limit, at(now)).await.unwrap();
        (rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), next)
    };
    let all = ControlFilter::default();
    let names: Vec<String> = rows[..3].iter().map(|row| row.id.clone()).collect();
    assert_eq!(
        ids(all.clone(), None, 10, 0).await,
        (names.clone(), None),
        "what is over is not among them"
    );
    let (first, next) = ids(all.clone(), None, 2, 0).await;
    assert_eq!(
        (first.as_slice(), next.as_deref()),
        (&names[..2], Some(names[1].as_str()))
    );
    assert_eq!(
        ids(all.clone(), next.as_deref(), 2, 0).await,
        (names[2..].to_vec(), None)
    );
    let narrow = |cpo: Option<&str>, is_steered| ControlFilter {
        cpo_key: cpo.map(str::to_owned),
        is_steered,
    };
    assert_eq!(ids(narrow(Some("NL/CPB"), None), None, 9, 0).await.0, names[1..2]);
    assert_eq!(ids(narrow(None, Some(true)), None, 9, 0).await.0, names[2..3]);
    assert_eq!(ids(narrow(None, Some(false)), None, 9, 0).await.0, names[..2]);
    assert_eq!(
        ids(all, None, 9, 100).await.0,
        Vec::<String>::new(),
        "their time is over"
    );
}

// N-07
pub async fn who_steered_is_forgotten_when_its_time_is_over_and_not_before(place: &Place) {
    let store = place.store().await;
    for number in 0..5 {
        let mut row = control("NL/CPA", &format!("S{number}"), 1);
        row.expires_at = at(10 + number);
        store.control_put(row, None).await.unwrap();
    }
    assert_eq!(store.controls_forget_expired(at(9), 2).await.unwrap(), 0);
    assert_eq!(store.controls_forget_expired(at(12), 2).await.unwrap(), 2);
    assert_eq!(store.controls_forget_expired(at(12), 2).await.unwrap(), 1);
    for (session, is_there) in [("S2", false), ("S3", true), ("S4", true)] {
        assert_eq!(
            store.control_get("NL/CPA", session).await.unwrap().is_some(),
            is_there,
            "{session}"
        );
    }
}

// ECI-07
pub async fn a_contract_is_replaced_found_by_its_grantor_and_gone_when_it_is_ended(place: &Place) {
    let store = place.store().await;
    assert!(store.contract_put(contract("b", "NL/CPA")).await.unwrap(), "new");
    assert!(store.contract_put(contract("a", "NL/CPA")).await.unwrap());
    assert!(store.contract_put(contract("c", "NL/CPA")).await.unwrap());
    assert!(
        !store.contract_put(contract("c", "DE/MSA")).await.unwrap(),
        "in the place of another"
    );
    let next_process = place.store().await;
    let of = async |grantor: &str| {
        let rows = next_process.contracts_of(grantor).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("NL/CPA").await, of("DE/MSA").await),
        (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()])
    );
    assert_eq!(
        next_process.contract_get("c").await.unwrap(),
        Some(contract("c", "DE/MSA"))
    );
    let (first, next) = store.contract_list(None, 2).await.unwrap();
    assert_eq!((first.len(), next.as_deref()), (2, Some("b")));
    let (rest, next) = store.contract_list(next.as_deref(), 2).await.unwrap();
    assert_eq!((rest, next), (vec![contract("c", "DE/MSA")], None));
    assert!(store.contract_delete("a").await.unwrap());
    assert!(!store.contract_delete("a").await.unwrap());
    assert_eq!(
        (of("NL/CPA").await, next_process.contract_get("a").await.unwrap()),
        (vec!["b".to_owned()], None)
    );
}
