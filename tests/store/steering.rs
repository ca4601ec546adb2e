//! Promises about contracts of smart charging, and about who steers a session.

use futures_util::future::join_all;
use truewatt::store::*;

use super::place::Place;
use super::world::{at, id};

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
        copy: Some(format!("copy {revision}")),
        copy_until: at(50),
    }
}

fn contract(id: &str, grantor: &str) -> ContractRow {
    ContractRow {
        id: id.to_owned(),
        grantor_key: grantor.to_owned(),
        document: format!("{{\"of\":\"{grantor}\"}}"),
        updated_at: at(1),
        secret: format!("secret of {id}"),
        is_configured: false,
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
            async move { (store.control_put(row.clone(), replaces, Vec::new()).await.unwrap(), row) }
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
    assert!(!stores[0].control_put(stale.clone(), Some(1), Vec::new()).await.unwrap());
    assert!(!stores[0].control_put(stale, None, Vec::new()).await.unwrap());
    assert!(
        !stores[0]
            .control_put(control("NL/CPA", "S2", 2), Some(1), Vec::new())
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
        assert!(store.control_put(row.clone(), None, Vec::new()).await.unwrap());
    }
    let listed = |rows: &[ControlRow]| {
        let without_copy = |row: &ControlRow| ControlRow {
            copy: None,
            ..row.clone()
        };
        rows.iter().map(without_copy).collect::<Vec<_>>()
    };
    assert_eq!(store.controls_of_session("S1").await.unwrap(), listed(&rows[..2]));
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
        store.control_put(row, None, Vec::new()).await.unwrap();
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

// ECI-08, N-07
pub async fn a_session_kept_for_providers_is_forgotten_when_nothing_more_is_said_of_it(place: &Place) {
    let store = place.store().await;
    for (session, until) in [("S1", 50), ("S2", 60)] {
        let row = ControlRow {
            copy_until: at(until),
            ..control("NL/CPA", session, 1)
        };
        assert!(store.control_put(row, None, Vec::new()).await.unwrap());
    }
    assert_eq!(store.controls_forget_copies(at(49)).await.unwrap(), 0);
    assert_eq!(store.controls_forget_copies(at(50)).await.unwrap(), 1);
    let copy = async |session: &str| store.control_get("NL/CPA", session).await.unwrap().unwrap().copy;
    assert_eq!((copy("S1").await, copy("S2").await.is_some()), (None, true));
    assert_eq!(store.controls_forget_copies(at(50)).await.unwrap(), 0);
}

// ECI-07
pub async fn a_contract_is_replaced_found_by_its_grantor_and_gone_when_it_is_ended(place: &Place) {
    let store = place.store().await;
    for id in ["b", "a", "c"] {
        let put = store.contract_put(contract(id, "NL/CPA")).await.unwrap();
        assert_eq!(put, ContractKept::New);
    }
    let again = store.contract_put(contract("c", "NL/CPA")).await.unwrap();
    assert_eq!(again, ContractKept::Unchanged);
    let another = ContractRow {
        secret: "another".to_owned(),
        ..contract("c", "DE/MSA")
    };
    let replaced = store.contract_put(another.clone()).await.unwrap();
    assert_eq!(replaced, ContractKept::Replaced);
    let next_process = place.store().await;
    let of = async |grantors: &[&str]| {
        let grantors = grantors.iter().map(|one| (*one).to_owned()).collect();
        let rows = next_process.contracts_of(grantors).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(of(&["NL/CPA"]).await, ["a", "b"]);
    assert_eq!(of(&["NL/CPA", "DE/MSA"]).await, ["a", "b", "c"]);
    assert_eq!(of(&["DE/OTH"]).await, Vec::<String>::new());
    assert_eq!(next_process.contract_get("c").await.unwrap(), Some(another));
    let (first, next) = store.contract_list(None, 2).await.unwrap();
    assert_eq!((first.len(), next.as_deref()), (2, Some("b")));
    let (rest, next) = store.contract_list(next.as_deref(), 2).await.unwrap();
    assert_eq!((rest.len(), rest[0].id.as_str(), next), (1, "c", None));
    assert!(store.contract_delete("a").await.unwrap());
    assert!(!store.contract_delete("a").await.unwrap());
    assert_eq!(of(&["NL/CPA"]).await, ["b"]);
    assert_eq!(next_process.contract_get("a").await.unwrap(), None);
}

// ECI-07
pub async fn a_contract_of_the_configuration_is_changed_and_ended_by_the_configuration_alone(place: &Place) {
    let store = place.store().await;
    let configured = |id: &str| ContractRow {
        is_configured: true,
        ..contract(id, "NL/CPA")
    };
    store.contract_put(contract("own", "NL/CPA")).await.unwrap();
    store.contract_put(contract("taken", "NL/CPA")).await.unwrap();
    assert_eq!(store.contract_put(configured("file")).await.unwrap(), ContractKept::New);
    assert_eq!(
        store.contract_put(configured("taken")).await.unwrap(),
        ContractKept::Replaced
    );
    for id in ["file", "taken"] {
        let put = store.contract_put(contract(id, "DE/MSA")).await.unwrap();
        assert_eq!(put, ContractKept::Configured);
        assert!(!store.contract_delete(id).await.unwrap());
        assert_eq!(store.contract_get(id).await.unwrap(), Some(configured(id)));
    }
    let gone = store.contracts_configured(vec!["taken".to_owned()]).await.unwrap();
    assert_eq!(gone, ["file"]);
    assert_eq!(store.contract_get("file").await.unwrap(), None);
    assert!(store.contract_get("own").await.unwrap().is_some());
}

/// A Session, or a change of one, that a provider is owed.
fn owed(session: &str, contract: &str, body: &str, whole: Option<&str>) -> NewNotice {
    NewNotice {
        duty: NewDuty {
            id: id(),
            platform_id: "p".to_owned(),
            kind: "session".to_owned(),
            object_id: format!("NL/CPA/{session} BE/SCS"),
            revision: 1,
            lease_owner: String::new(),
            lease_until: at(0),
            next_attempt_at: at(0),
            give_up_at: at(1_000),
            created_at: at(0),
        },
        message: Message {
            identifier: "sessions".to_owned(),
            method: if whole.is_some() { "PATCH" } else { "PUT" }.to_owned(),
            path: vec!["NL".to_owned(), "CPA".to_owned(), session.to_owned()],
            to_party: "BE/SCS".to_owned(),
            object: format!("NL/CPA/{session}"),
            body: body.to_owned(),
            shown: Some(UnderContract {
                from_party: "NL/CPA".to_owned(),
                contract: contract.to_owned(),
                whole: whole.map(str::to_owned),
            }),
        },
    }
}

// ECI-12, design.md promise 3
pub async fn a_session_is_owed_with_the_row_it_follows_from_and_a_change_becomes_the_whole_behind_what_was_not_told(
    place: &Place,
) {
    let store = place.store().await;
    let put = async |revision: i64, replaces, owed| {
        let row = control("NL/CPA", "S1", revision);
        store.control_put(row, replaces, owed).await.unwrap()
    };
    let told = async || {
        let mut leased = store.duty_lease("me", at(10), at(40), 10).await.unwrap();
        let duty = leased.pop().unwrap();
        assert!(leased.is_empty());
        let notice = store.notice(&duty.id).await.unwrap().unwrap();
        (duty, notice)
    };
    assert!(put(1, None, vec![owed("S1", "c", "1", None)]).await);
    assert!(
        !put(1, None, vec![owed("S2", "c", "never", None)]).await,
        "who was too late owes nothing"
    );
    let (duty, notice) = told().await;
    assert_eq!(notice.message, owed("S1", "c", "1", None).message);
    assert!(
        store
            .told_settle(&duty.id, "me", notice.revision, Told::Ended, None)
            .await
            .unwrap()
    );
    // A change, to who was told all before.
    assert!(put(2, Some(1), vec![owed("S1", "c", "2", Some("1 and 2"))]).await);
    let (duty, notice) = told().await;
    assert_eq!(notice.message, owed("S1", "c", "2", Some("1 and 2")).message);
    // The next one finds it not told yet.
    assert!(put(3, Some(2), vec![owed("S1", "c", "3", Some("1 to 3"))]).await);
    assert!(
        !store
            .told_settle(&duty.id, "me", notice.revision, Told::Ended, None)
            .await
            .unwrap()
    );
    let (_, notice) = told().await;
    assert_eq!(notice.message, owed("S1", "c", "1 to 3", None).message);
}

// ECI-08
pub async fn what_is_owed_under_a_contract_ends_with_it(place: &Place) {
    let store = place.store().await;
    for name in ["ends", "changes", "stays"] {
        store.contract_put(contract(name, "NL/CPA")).await.unwrap();
        let row = control("NL/CPA", name, 1);
        assert!(
            store
                .control_put(row, None, vec![owed(name, name, "1", None)])
                .await
                .unwrap()
        );
    }
    assert!(store.contract_delete("ends").await.unwrap());
    let changed = ContractRow {
        document: "{}".to_owned(),
        ..contract("changes", "NL/CPA")
    };
    assert_eq!(store.contract_put(changed).await.unwrap(), ContractKept::Replaced);
    store.contract_put(contract("stays", "NL/CPA")).await.unwrap();
    let left = store.duty_lease("me", at(10), at(40), 10).await.unwrap();
    assert_eq!(left.len(), 1);
    let notice = store.notice(&left[0].id).await.unwrap().unwrap();
    assert_eq!(notice.message.object, "NL/CPA/stays");
}
